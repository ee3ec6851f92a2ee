"""Paths across layers: which experts of a later layer the tokens of an expert visit next.

The published script pairs experts of equal rank only (rank 1 with rank 1, ...); here a token's
expert in one layer is paired with each of its experts in the other.

Shapes: ``N`` tokens, ``L`` layers, ``K`` chosen experts, ``E`` experts.
"""

from __future__ import annotations

import numpy as np

from olmeda.routing.measures import visits


def followed(
    chosen_NLK: np.ndarray, experts: int, first: int, second: int, *, equal_ranks_only: bool = False
) -> np.ndarray:
    """Tokens that chose i in layer ``first`` and j in layer ``second``, ``[E, E]`` int64."""
    chosen = chosen_NLK.shape[2]
    counted = np.zeros(experts * experts, np.int64)
    for here in range(chosen):
        for there in [here] if equal_ranks_only else range(chosen):
            cells = chosen_NLK[:, first, here].astype(np.int64) * experts
            cells += chosen_NLK[:, second, there]
            counted += np.bincount(cells, minlength=len(counted))
    return counted.reshape(experts, experts)


def transitions(
    chosen_NLK: np.ndarray, experts: int, first: int, second: int, *, equal_ranks_only: bool = False
) -> np.ndarray:
    """Of the tokens that chose i in layer ``first``, the share that chose j in ``second``.

    ``[E, E]``; rows sum to K, or to 0 where nobody chose i. If the layers were independent each
    row would be ``visits / tokens`` of the second layer. ``equal_ranks_only`` counts pairs as the
    published script does (rows then sum to 1).
    """
    pairs = followed(chosen_NLK, experts, first, second, equal_ranks_only=equal_ranks_only)
    from_E1 = visits(chosen_NLK[:, [first]], experts)[0][:, None]
    return np.asarray(np.divide(pairs, from_E1, where=from_E1 > 0, out=np.zeros(pairs.shape)))


def independent(chosen_NLK: np.ndarray, experts: int, second: int) -> np.ndarray:
    """What every row of ``transitions`` would be if layers knew nothing of each other, ``[E]``."""
    return np.asarray(visits(chosen_NLK[:, [second]], experts)[0] / len(chosen_NLK))


def shared_information(chosen_NLK: np.ndarray, experts: int, first: int, second: int) -> float:
    """Mutual information in bits of a token's most probable experts in two layers.

    0 when one tells nothing of the other, at most log2 E. Few tokens raise it: compare with the
    same after ``shuffled`` choices of one layer.
    """
    return _bits(_cells(chosen_NLK, experts, first, second), None, experts)


def information_interval(
    chosen_NLK: np.ndarray,
    document_N: np.ndarray,
    experts: int,
    layers: tuple[int, int],
    rounds: int,
    level: float,
    seed: int,
) -> tuple[np.ndarray, np.ndarray]:
    """``(low, high)`` of ``shared_information`` by drawing documents again.

    Drawing with replacement repeats documents, which raises the information as fewer tokens do; the
    limits are moved down by that much, so that they stand around the measured value.
    """
    cells_N = _cells(chosen_NLK, experts, *layers)
    documents = int(document_N.max()) + 1
    generator = np.random.default_rng(seed)
    drawn = np.empty(rounds)
    for number in range(rounds):
        times_D = generator.multinomial(documents, np.full(documents, 1 / documents))
        drawn[number] = _bits(cells_N, times_D[document_N], experts)
    excess = drawn.mean() - _bits(cells_N, None, experts)
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2]) - excess
    return np.maximum(low, 0.0), np.maximum(high, 0.0)


def _cells(chosen_NLK: np.ndarray, experts: int, first: int, second: int) -> np.ndarray:
    return np.asarray(chosen_NLK[:, first, 0].astype(np.int64) * experts + chosen_NLK[:, second, 0])


def _bits(cells_N: np.ndarray, weight_N: np.ndarray | None, experts: int) -> float:
    counted = np.bincount(cells_N, weight_N, minlength=experts * experts)
    joint = counted.reshape(experts, experts) / counted.sum()
    apart = joint.sum(1, keepdims=True) * joint.sum(0, keepdims=True)
    there = joint > 0
    return float((joint[there] * np.log2(joint[there] / apart[there])).sum())
