"""How sure an accuracy is: bootstrap intervals over items and the sign test against guessing."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from olmeda.artifacts.estimate import resampled_means


def subset_draws(
    subsets: Sequence[str], results_SI: np.ndarray, seed: int
) -> dict[str, np.ndarray]:
    """Bootstrap means of each subset, ``[S systems, draws]``.

    Items are drawn with replacement within their subset, the same items for every system, so that
    differences between systems are paired.
    """
    found = {}
    for number, subset in enumerate(dict.fromkeys(subsets)):
        columns = np.flatnonzero(np.array([s == subset for s in subsets]))
        found[subset] = resampled_means(results_SI[:, columns], seed, number)
    return found


def weighted(draws: Mapping[str, np.ndarray], weights: Mapping[str, float]) -> np.ndarray:
    """The weighted mean of subsets' draws, for a section."""
    stacked = np.stack([draws[name] for name in weights])
    total: np.ndarray = np.average(stacked, axis=0, weights=list(weights.values()))
    return total


def sign_test(right: int, n: int) -> float:
    """Two-sided exact probability of a result this far from ``n / 2`` by fair coins."""
    fewer = min(right, n - right)
    tail = sum(math.comb(n, k) for k in range(fewer + 1))
    return min(1.0, float(2 * tail / (1 << n)))
