"""How a mixture of experts routes tokens, as pure functions of the chosen experts.

All pairs of a token's experts count (the published co-activation script counts neighbours in rank
only: 7 of 28 pairs at K = 8), all layers are measured, and every figure has its chance line.

Shapes: ``N`` tokens, ``L`` layers, ``K`` chosen experts by falling probability, ``E`` experts,
``G`` groups of tokens (sources, or documents).
"""

from __future__ import annotations

import numpy as np


def visits(chosen_NLK: np.ndarray, experts: int) -> np.ndarray:
    """Tokens that chose each expert, ``[L, E]`` int64."""
    one_group = np.zeros(len(chosen_NLK), np.int64)
    return np.asarray(grouped_visits(chosen_NLK, one_group, 1, experts).sum(0))


def grouped_visits(
    chosen_NLK: np.ndarray, group_N: np.ndarray, groups: int, experts: int
) -> np.ndarray:
    """Tokens of each group that chose each expert, ``[G, L, E]`` int64."""
    _, layers, _ = chosen_NLK.shape
    base_N1 = (group_N.astype(np.int64) * layers)[:, None] + np.arange(layers)
    cells = base_N1[:, :, None] * experts + chosen_NLK
    counted = np.bincount(cells.ravel(), minlength=groups * layers * experts)
    return counted.reshape(groups, layers, experts)


def load_share(chosen_NLK: np.ndarray, experts: int) -> np.ndarray:
    """The share of all visits that each expert takes, ``[L, E]``; rows sum to 1, chance 1/E."""
    counted = visits(chosen_NLK, experts)
    return np.asarray(counted / counted.sum(1, keepdims=True))


def evenness(share_LE: np.ndarray) -> np.ndarray:
    """Entropy of the load over that of equal load, ``[L]``: 1 is even, 0 is one expert alone."""
    if share_LE.shape[1] == 1:
        return np.ones(len(share_LE))
    logs = np.log(share_LE, where=share_LE > 0, out=np.zeros_like(share_LE))
    return np.asarray(-(share_LE * logs).sum(1) / np.log(share_LE.shape[1]))


def together(
    chosen_NLK: np.ndarray, experts: int, *, adjacent_ranks_only: bool = False
) -> np.ndarray:
    """Tokens that chose both of two experts, ``[L, E, E]`` int64; the diagonal is 0."""
    _, layers, chosen = chosen_NLK.shape
    base_L = np.arange(layers) * experts * experts
    counted = np.zeros(layers * experts * experts, np.int64)
    for first in range(chosen):
        last = first + 2 if adjacent_ranks_only else chosen
        for second in range(first + 1, min(last, chosen)):
            cells = base_L + chosen_NLK[..., first].astype(np.int64) * experts
            cells = cells + chosen_NLK[..., second]
            counted += np.bincount(cells.ravel(), minlength=len(counted))
    pairs = counted.reshape(layers, experts, experts)
    return np.asarray(pairs + pairs.transpose(0, 2, 1))


def coactivation(
    chosen_NLK: np.ndarray, experts: int, *, adjacent_ranks_only: bool = False
) -> np.ndarray:
    """Of the tokens that chose expert i (second axis), the share that chose j too, ``[L, E, E]``.

    The diagonal, and rows of experts that nobody chose, are 0. Chance is ``coactivation_chance``.
    ``adjacent_ranks_only`` counts pairs as the published script does, for comparison.
    """
    pairs = together(chosen_NLK, experts, adjacent_ranks_only=adjacent_ranks_only)
    tokens = visits(chosen_NLK, experts)[:, :, None]
    shares = np.divide(pairs, tokens, where=tokens > 0, out=np.zeros(pairs.shape))
    return np.asarray(shares)


def coactivation_chance(experts: int, chosen: int) -> float:
    """Co-activation when each token draws K of E experts at random: (K - 1) / (E - 1)."""
    return (chosen - 1) / (experts - 1) if experts > 1 else 0.0


def choice_chance(experts: int, chosen: int) -> float:
    """How often an expert is among K of E drawn at random: K / E."""
    return chosen / experts


def domain_share(
    chosen_NLK: np.ndarray, source_N: np.ndarray, sources: int, experts: int
) -> np.ndarray:
    """Of a source's tokens, the share that chose each expert, ``[G, L, E]``; chance K/E.

    Rows sum to K. A source without tokens gets zeros.
    """
    counted = grouped_visits(chosen_NLK, source_N, sources, experts)
    tokens = np.bincount(source_N, minlength=sources)[:, None, None]
    return np.asarray(np.divide(counted, tokens, where=tokens > 0, out=np.zeros(counted.shape)))


def kept_experts(earlier_NLK: np.ndarray, final_NLK: np.ndarray) -> np.ndarray:
    """How many of each token's final experts an earlier checkpoint chose too, ``[N, L]``."""
    assert earlier_NLK.shape == final_NLK.shape
    same_NLKK = earlier_NLK[..., :, None] == final_NLK[..., None, :]
    return np.asarray(same_NLKK.any(-1).sum(2))


def saturation(earlier_NLK: np.ndarray, final_NLK: np.ndarray) -> np.ndarray:
    """The share of a token's final experts that an earlier checkpoint chose too, ``[L]``.

    Both must have routed the same tokens. Chance K/E; of the first expert alone, give ``[..., :1]``
    of both.
    """
    return np.asarray(kept_experts(earlier_NLK, final_NLK).mean(0) / final_NLK.shape[2])
