"""Bootstrap: how far a figure would move if other instances, or other systems, had been drawn.

Shapes: B resamples, C clusters (what is drawn: instances or systems), M sums per cluster.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec
import numpy as np

BLOCK = 512
"""Resamples in memory at once as floats; the counts themselves are bytes."""
LEVEL = 0.95


class Estimate(msgspec.Struct, frozen=True):
    """A figure with its 95% interval, what the interval resamples, and the number of values.

    ``value`` is None where there is no such figure, and ``reason`` then says why.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    n: int = 0
    resampled: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Resamples:
    """How often each cluster is drawn in each resample: uint8 [B, C], rows summing to C.

    Figures computed from the same ``Resamples`` are paired: they saw the same draws.
    """

    of: str
    counts_BC: np.ndarray

    @classmethod
    def draw(cls, of: str, clusters: int, resamples: int, rng: np.random.Generator) -> Resamples:
        """Draw ``clusters`` out of ``clusters`` with replacement, ``resamples`` times."""
        chance = np.full(clusters, 1 / clusters)
        drawn = [
            rng.multinomial(clusters, chance, size=min(BLOCK, resamples - done))
            for done in range(0, resamples, BLOCK)
        ]
        return cls(of, np.concatenate(drawn).astype(np.uint8))

    def blocks(self) -> Iterator[np.ndarray]:
        """The counts as float64 [<=BLOCK, C], block after block."""
        for start in range(0, len(self.counts_BC), BLOCK):
            yield self.counts_BC[start : start + BLOCK].astype(np.float64)

    def sums(self, sums_CM: np.ndarray) -> np.ndarray:
        """Sums over the drawn clusters: float64 [B, M]."""
        return np.concatenate([counts @ sums_CM for counts in self.blocks()])

    def means(self, values_CM: np.ndarray) -> np.ndarray:
        """Means over the drawn clusters, missing (NaN) values left out: float64 [B, M]."""
        present = np.isfinite(values_CM)
        with np.errstate(invalid="ignore", divide="ignore"):
            totals_BM = self.sums(np.where(present, values_CM, 0.0))
            return np.asarray(totals_BM / self.sums(present * 1.0))


def estimate(value: float | None, draws_B: np.ndarray, of: str, n: int, reason: str) -> Estimate:
    """``value`` with the percentile interval of its resamples; degenerate resamples left out.

    No interval is given where more than half of the resamples have no value.
    """
    if value is None or not np.isfinite(value):
        return Estimate(None, n=n, reason=reason)
    good = draws_B[np.isfinite(draws_B)]
    if 2 * len(good) <= len(draws_B):
        return Estimate(float(value), n=n, resampled=of, reason="too few resamples have a value")
    low, high = np.quantile(good, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Estimate(float(value), float(low), float(high), n, of)


def rank_intervals(means_BS: np.ndarray) -> list[tuple[int, int]]:
    """The 95% interval of each system's rank (1 is best) over resamples."""
    ranks_BS = 1 + (means_BS[:, None, :] > means_BS[:, :, None]).sum(axis=2)
    low, high = np.quantile(ranks_BS, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0, method="nearest")
    return [(int(a), int(b)) for a, b in zip(low, high)]
