"""A figure with its 95 % interval: bootstrap over items, Wilson's of a share, Student's of seeds.

Shapes: S systems, I items, B bootstrap draws, K seeds.
"""

from __future__ import annotations

import math

import msgspec
import numpy as np

DRAWS = 1000
"""Bootstrap draws; the 95 % limits of a percentile interval then rest on 25 draws each side."""
Z95 = 1.959963984540054
"""The 97.5th percentile of the normal distribution."""


STUDENT_T = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)
"""The 97.5 percentiles of Student's t for 1, 2, ... 9 degrees of freedom (any statistics table)."""


class Estimate(msgspec.Struct, frozen=True):
    """A value of ``n`` items with its 95 % interval."""

    value: float
    low: float
    high: float
    n: int


def estimated(value: float, draws_B: np.ndarray, n: int) -> Estimate:
    """A value with the 2.5 and 97.5 percentiles of its draws."""
    low, high = np.percentile(draws_B, [2.5, 97.5])
    return Estimate(value, float(low), float(high), n)


def wilson(hits: int, of: int) -> tuple[float, float]:
    """The score interval of ``hits`` among ``of``, (0, 1) where there is nothing (Wilson 1927).

    Unlike a bootstrap it has a width also where all or none are hits.
    """
    if not of:
        return 0.0, 1.0
    share, square = hits / of, Z95 * Z95 / of
    centre = (share + square / 2) / (1 + square)
    half = Z95 * math.sqrt(share * (1 - share) / of + square / (4 * of)) / (1 + square)
    low = 0.0 if hits == 0 else max(0.0, centre - half)
    return low, 1.0 if hits == of else min(1.0, centre + half)


def resampled_means(
    values_SI: np.ndarray, seed: int, group: int = 0, draws: int = DRAWS
) -> np.ndarray:
    """Means ``[S, B]`` over items drawn with replacement, the same items for every system.

    ``group``: the number of this set of items among others of the same seed; each draws its own.
    """
    rng = np.random.Generator(np.random.Philox(key=seed, counter=[0, 0, 0, group]))
    items = values_SI.shape[1]
    picks_BI = rng.multinomial(items, np.full(items, 1 / items), size=draws)
    means: np.ndarray = values_SI @ picks_BI.T / items
    return means


def over_seeds(values_K: np.ndarray) -> Estimate:
    """The mean with its 95 % interval by Student's t; infinite where there is one value."""
    count, mean = len(values_K), float(values_K.mean())
    if count == 1:
        return Estimate(mean, -math.inf, math.inf, 1)
    half = STUDENT_T[count - 2] * float(values_K.std(ddof=1)) / math.sqrt(count)
    return Estimate(mean, mean - half, mean + half, count)
