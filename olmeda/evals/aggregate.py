"""From values of items to a task's mean with a confidence interval."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from olmeda.artifacts.estimate import DRAWS, Estimate, estimated
from olmeda.artifacts.scores import Score

Summary = dict[str, dict[str, dict[str, Estimate]]]
"""system -> task -> scorer -> estimate."""


def bootstrap_means(values_N: np.ndarray, seed: int, resamples: int = DRAWS) -> np.ndarray:
    """Means of ``resamples`` draws of N items with replacement, ``[resamples]``.

    The draws depend on seed and N alone, so systems that answered the same items share them.
    """
    count = len(values_N)
    drawn = np.random.default_rng([seed, count]).integers(0, count, (resamples, count))
    means: np.ndarray = values_N[drawn].mean(1)
    return means


def estimate(values: Iterable[float], seed: int, resamples: int = DRAWS) -> Estimate:
    """The mean and its percentile interval (2.5 to 97.5 %). At least one value is needed."""
    values_N = np.fromiter(values, np.float64)
    assert len(values_N), "no values"
    draws_B = bootstrap_means(values_N, seed, resamples)
    return estimated(float(values_N.mean()), draws_B, len(values_N))


def summarise(rows: Iterable[Score], seed: int) -> Summary:
    """An estimate for each system, task and scorer, in the order in which they first come."""
    values: dict[tuple[str, str, str], list[float]] = {}
    for row in rows:
        values.setdefault((row.system, row.task, row.scorer), []).append(row.value)
    summary: Summary = {}
    for (system, task, name), held in values.items():
        summary.setdefault(system, {}).setdefault(task, {})[name] = estimate(held, seed)
    return summary
