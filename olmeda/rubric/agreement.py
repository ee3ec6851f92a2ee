"""How far raters agree: Krippendorff's alpha with bootstrap intervals, and pairs of raters.

Shapes: R raters, U units; missing ratings are NaN.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import krippendorff
import msgspec
import numpy as np

LEVEL = 0.95


class Alpha(msgspec.Struct, frozen=True):
    """Krippendorff's alpha with its 95% interval (units resampled) over units rated twice.

    None with a ``reason`` where it is not defined.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    units: int = 0
    reason: str = ""


class Pair(msgspec.Struct, frozen=True):
    """Two raters on the units both rated. ``pearson`` is None where one of them never varies."""

    first: str
    second: str
    units: int
    pearson: float | None
    mean_difference: float
    equal: float


def value_counts(values_RU: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How many raters gave each value to each unit rated at least twice [U, V]; the values [V]."""
    there = np.isfinite(values_RU)
    kept_RU = np.where(there, values_RU, np.nan)[:, there.sum(axis=0) >= 2]
    domain_V = np.unique(kept_RU[np.isfinite(kept_RU)])
    return (kept_RU[:, :, None] == domain_V).sum(axis=0), domain_V


def alpha(
    values_RU: np.ndarray,
    level: Literal["ordinal", "interval"],
    resamples: int,
    rng: np.random.Generator,
) -> Alpha:
    """Krippendorff's alpha of one dimension, with a percentile bootstrap over units."""
    counts_UV, domain_V = value_counts(values_RU)
    units = len(counts_UV)
    if units < 2:
        return Alpha(None, units=units, reason=f"only {units} units were rated by two raters")
    if len(domain_V) < 2:
        return Alpha(None, units=units, reason="every rating is the same")
    value = _alpha(counts_UV, domain_V, level)
    drawn = (counts_UV[rng.integers(units, size=units)] for _ in range(resamples))
    values = [_alpha(d, domain_V, level) for d in drawn if np.count_nonzero(d.sum(axis=0)) > 1]
    if 2 * len(values) <= resamples:
        return Alpha(value, units=units, reason="too few resamples have two different values")
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Alpha(value, float(low), float(high), units)


def _alpha(counts_UV: np.ndarray, domain_V: np.ndarray, level: str) -> float:
    used_V = counts_UV.sum(axis=0) > 0
    return float(
        krippendorff.alpha(
            value_counts=counts_UV[:, used_V],
            value_domain=domain_V[used_V],
            level_of_measurement=level,
        )
    )


def pairs(raters: Sequence[str], values_RU: np.ndarray) -> list[Pair]:
    """Each two raters who share units: correlation, mean difference (first less second), ties."""
    found = []
    for i, first in enumerate(raters):
        for j in range(i + 1, len(raters)):
            both = np.isfinite(values_RU[i] * values_RU[j])
            if not both.any():
                continue
            a, b = values_RU[i][both], values_RU[j][both]
            varied = np.ptp(a) > 0 and np.ptp(b) > 0
            found.append(
                Pair(
                    first, raters[j], int(both.sum()),
                    float(np.corrcoef(a, b)[0, 1]) if varied else None,
                    float((a - b).mean()), float((a == b).mean()),
                )
            )  # fmt: skip
    return found


class Mean(msgspec.Struct, frozen=True):
    """A mean over ``n`` ratings; ``half`` is half of its 95% normal interval (None for n = 1)."""

    mean: float
    half: float | None
    n: int


def mean_interval(values: np.ndarray) -> Mean:
    """The mean and 1.96 standard errors (sample deviation), as THumB's tables give it."""
    count = len(values)
    if count == 1:
        return Mean(float(values[0]), None, 1)
    half = 1.96 * float(values.std(ddof=1)) / float(np.sqrt(count))
    return Mean(float(values.mean()), half, count)
