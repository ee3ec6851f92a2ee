"""Vocabulary specialisation: how strongly the tokens of one id keep to one expert.

The id may be the token read, the one that truly follows, or the one the model predicts (OLMoE,
arXiv:2409.02060, section 5). Ids must occur often enough: one seen once keeps to one expert by
definition.

Shapes: ``N`` tokens, ``L`` layers, ``K`` chosen experts, ``E`` experts, ``X`` distinct ids,
``D`` documents, ``R`` rounds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from olmeda.routing.measures import grouped_visits


@dataclass(frozen=True)
class Vocabulary:
    """Vocabulary specialisation of every layer over the ids that occur often enough.

    ``share_LX``: of an id's tokens, the share that chose its favourite expert ``favourite_LX``.
    """

    ids_X: np.ndarray
    counts_X: np.ndarray
    favourite_LX: np.ndarray
    share_LX: np.ndarray

    @property
    def mean_L(self) -> np.ndarray:
        """The plain mean over ids; 0 where no id is frequent enough."""
        return self.share_LX.mean(1) if len(self.ids_X) else np.zeros(len(self.share_LX))


def vocabulary(
    chosen_NLK: np.ndarray, ids_N: np.ndarray, experts: int, least: int = 10
) -> Vocabulary:
    """How strongly each token id keeps to one expert, over ids with at least ``least`` tokens.

    Negative ids are left out (no next token is known there). Compare with ``vocabulary`` after
    ``shuffled``: the largest of E shares is above K/E by chance.
    """
    known_N = ids_N >= 0
    chosen_NLK, ids_N = chosen_NLK[known_N], ids_N[known_N]
    ids_X, group_N, counts_X = np.unique(ids_N, return_inverse=True, return_counts=True)
    often = counts_X >= least
    if not often.any():
        none = np.zeros((chosen_NLK.shape[1], 0))
        return Vocabulary(ids_X[often], counts_X[often], none.astype(np.int64), none)
    keep_N = often[group_N]
    place_X = np.cumsum(often) - 1
    counted = grouped_visits(
        chosen_NLK[keep_N], place_X[group_N[keep_N]], int(often.sum()), experts
    )
    share_LX = (counted.max(2) / counts_X[often][:, None]).T
    return Vocabulary(ids_X[often], counts_X[often], counted.argmax(2).T, share_LX)


def shuffled(chosen_NLK: np.ndarray, seed: int) -> np.ndarray:
    """The same choices dealt to other tokens: what load alone explains."""
    order = np.random.default_rng(seed).permutation(len(chosen_NLK))
    return chosen_NLK[order]


def mean_interval(
    chosen_NLK: np.ndarray,
    ids_N: np.ndarray,
    document_N: np.ndarray,
    held: Vocabulary,
    rounds: int,
    level: float,
    seed: int,
) -> tuple[np.ndarray, np.ndarray]:
    """``(low, high)`` of ``held.mean_L`` each ``[L]``, by drawing documents again.

    Each id keeps the favourite expert that all documents gave it, so that a draw cannot pick the
    luckiest expert anew; ids that a draw lacks do not count in it.
    """
    layers = chosen_NLK.shape[1]
    if not len(held.ids_X):
        return np.zeros(layers), np.zeros(layers)
    place_N = np.searchsorted(held.ids_X, ids_N).clip(max=len(held.ids_X) - 1)
    kept_N = held.ids_X[place_N] == ids_N
    place_N, document_N, chosen_NLK = place_N[kept_N], document_N[kept_N], chosen_NLK[kept_N]
    favourite_NL = held.favourite_LX.T[place_N]
    hits_NL = (chosen_NLK == favourite_NL[:, :, None]).any(-1)
    documents, ids = int(document_N.max()) + 1, len(held.ids_X)
    generator = np.random.default_rng(seed)
    means_RL = np.empty((rounds, layers))
    for number in range(rounds):
        times_D = generator.multinomial(documents, np.full(documents, 1 / documents))
        weight_N = times_D[document_N].astype(np.float64)
        seen_X = np.bincount(place_N, weight_N, minlength=ids)
        there_X = seen_X > 0
        for layer in range(layers):
            hit_X = np.bincount(place_N, weight_N * hits_NL[:, layer], minlength=ids)
            shares = hit_X[there_X] / seen_X[there_X]
            means_RL[number, layer] = shares.mean() if len(shares) else 0.0
    low, high = np.quantile(means_RL, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return low, high
