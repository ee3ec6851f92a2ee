"""From values of items to a task's mean with a confidence interval."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import numpy as np

from olmeda.artifacts.scores import Score

RESAMPLES = 1000
Summary = dict[str, dict[str, dict[str, "Estimate"]]]
"""system -> task -> scorer -> estimate."""


class Estimate(msgspec.Struct, frozen=True):
    """A mean, its 95 % interval by bootstrap over items, and the number of items."""

    value: float
    low: float
    high: float
    n: int


def bootstrap_means(values_N: np.ndarray, seed: int, resamples: int = RESAMPLES) -> np.ndarray:
    """Means of ``resamples`` draws of N items with replacement, ``[resamples]``.

    The draws depend on seed and N alone, so systems that answered the same items share them.
    """
    count = len(values_N)
    drawn = np.random.default_rng([seed, count]).integers(0, count, (resamples, count))
    means: np.ndarray = values_N[drawn].mean(1)
    return means


def estimate(values: Iterable[float], seed: int, resamples: int = RESAMPLES) -> Estimate:
    """The mean and its percentile interval (2.5 to 97.5 %). At least one value is needed."""
    values_N = np.fromiter(values, np.float64)
    assert len(values_N), "no values"
    low, high = np.quantile(bootstrap_means(values_N, seed, resamples), [0.025, 0.975])
    return Estimate(float(values_N.mean()), float(low), float(high), len(values_N))


def summarise(rows: Iterable[Score], seed: int) -> Summary:
    """An estimate for each system, task and scorer, in the order in which they first come."""
    values: dict[tuple[str, str, str], list[float]] = {}
    for row in rows:
        values.setdefault((row.system, row.task, row.scorer), []).append(row.value)
    summary: Summary = {}
    for (system, task, name), held in values.items():
        summary.setdefault(system, {}).setdefault(task, {})[name] = estimate(held, seed)
    return summary
