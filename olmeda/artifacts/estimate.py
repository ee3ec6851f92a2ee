"""A figure with its 95 % bootstrap interval over items, drawn so that systems stay paired.

Shapes: S systems, I items, B bootstrap draws.
"""

from __future__ import annotations

import msgspec
import numpy as np

DRAWS = 1000
"""Bootstrap draws; the 95 % limits of a percentile interval then rest on 25 draws each side."""


class Estimate(msgspec.Struct, frozen=True):
    """A value with its 95 % interval by bootstrap over ``n`` items."""

    value: float
    low: float
    high: float
    n: int


def estimated(value: float, draws_B: np.ndarray, n: int) -> Estimate:
    """A value with the 2.5 and 97.5 percentiles of its draws."""
    low, high = np.percentile(draws_B, [2.5, 97.5])
    return Estimate(value, float(low), float(high), n)


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
