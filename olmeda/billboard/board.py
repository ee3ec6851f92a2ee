"""The board: generators ranked, metrics ranked, and what stands behind both. Pure assembly.

Shapes: S systems, I instances, K metrics, B resamples.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from olmeda.billboard.compare import holm, paired_p, pairwise_p, tie_groups
from olmeda.billboard.correlate import Agreement, instance_draws
from olmeda.billboard.overrating import Overrating
from olmeda.billboard.resample import Estimate, Resamples, estimate, rank_intervals

ENSEMBLE = "ensemble"


class Standing(msgspec.Struct, frozen=True):
    """A system's place by one score: 1 is best; ties share a ``group`` (see compare.tie_groups)."""

    mean: Estimate
    rank: int | None = None
    rank_low: int | None = None
    rank_high: int | None = None
    group: int | None = None


class GeneratorRow(msgspec.Struct, frozen=True):
    """One system. ``length_held``: its ensemble mean at the mean length of all systems."""

    system: str
    is_human: bool
    ensemble: Standing
    quality: Standing
    length_held: float | None
    mean_length: float | None


class MetricRow(msgspec.Struct, frozen=True):
    """One metric against quality on machine text; the ensemble's figures are held out by system.

    ``with_human``: instance-level Pearson with human text added (the ensemble's is in-sample).
    ``p_behind``: Holm-corrected
    paired-bootstrap p of being behind the first metric (None for the first).
    """

    metric: str
    rater: str
    signature: str
    agreement: Agreement
    with_human: float | None
    weight: float
    rank: int | None
    p_behind: float | None
    constant_for: list[str]


class EnsembleRow(msgspec.Struct, frozen=True):
    """The ensemble: standardised weights, formula in raw units, and four correlations.

    ``in_sample`` saw the rows it is measured on; ``by_system`` and ``by_instance`` are held out.
    ``best_single``: the best metric alone, for comparison. ``reason`` if nothing could be fitted.
    """

    alpha: float | None
    weights: dict[str, float]
    formula: dict[str, float]
    in_sample: Estimate
    by_system: Estimate
    by_instance: Estimate
    best_single: str
    reason: str = ""


class Board(msgspec.Struct, frozen=True):
    """All of ``board.json``. Rows are in rank order, the best first."""

    task: str
    quality: str
    quality_kind: str
    quality_raters: list[str]
    human: str
    items: int
    rated: int
    generators: list[GeneratorRow]
    metrics: list[MetricRow]
    ensemble: EnsembleRow
    overrating: list[Overrating]
    caveats: list[str]
    notes: list[str]


def standings(scores_SI: np.ndarray, instances: Resamples, reason: str = "") -> list[Standing]:
    """Rank systems by their means, with intervals of mean and rank, and tie groups.

    Equal means share the better rank. A system without any value (or all of them, where ``reason``
    is given) has no rank.
    """
    rated_S = np.isfinite(scores_SI).any(axis=1)
    found = [Standing(Estimate(None, reason=reason or "not rated")) for _ in scores_SI]
    rated = np.flatnonzero(rated_S)
    if reason or not len(rated):
        return found
    means_BS = instances.means(scores_SI[rated].T)
    means_S = np.nanmean(scores_SI[rated], axis=1)
    order = sorted(range(len(rated)), key=lambda i: (-means_S[i], i))
    groups = tie_groups(order, pairwise_p(means_BS))
    intervals = rank_intervals(means_BS)
    for place, i in enumerate(order):
        count = int(np.isfinite(scores_SI[rated[i]]).sum())
        mean = estimate(float(means_S[i]), means_BS[:, i], "instances", count, "")
        rank = 1 + int((means_S > means_S[i]).sum())
        found[rated[i]] = Standing(mean, rank, *intervals[i], groups[place])
    return found


def at_equal_length(scores_SI: np.ndarray, length_SI: np.ndarray) -> np.ndarray:
    """System means [S] moved to the mean length, along the slope within systems and instances."""

    def centred(v_SI: np.ndarray) -> np.ndarray:
        return np.asarray(v_SI - v_SI.mean(axis=0) - v_SI.mean(axis=1, keepdims=True) + v_SI.mean())

    inner = centred(length_SI)
    spread = float((inner * inner).sum())
    slope = float((inner * centred(scores_SI)).sum()) / spread if spread > 1e-12 else 0.0
    return np.asarray(scores_SI.mean(axis=1) - slope * (length_SI.mean(axis=1) - length_SI.mean()))


def generator_rows(
    systems: Sequence[str],
    human: str,
    by_ensemble: Sequence[Standing],
    by_quality: Sequence[Standing],
    ensemble_SI: np.ndarray | None,
    length_SI: np.ndarray | None,
) -> list[GeneratorRow]:
    """One row a system, ranked by the ensemble, or by quality where there is no ensemble."""
    held_S = None
    if ensemble_SI is not None and length_SI is not None:
        held_S = at_equal_length(ensemble_SI, length_SI)
    rows = [
        GeneratorRow(
            name, name == human, by_ensemble[s], by_quality[s],
            None if held_S is None else float(held_S[s]),
            None if length_SI is None else float(length_SI[s].mean()),
        )
        for s, name in enumerate(systems)
    ]  # fmt: skip
    last = len(rows) + 1
    return sorted(rows, key=lambda r: (r.ensemble.rank or last, r.quality.rank or last, r.system))


def p_behind_first(
    columns_SI: Sequence[np.ndarray], quality_SI: np.ndarray, instances: Resamples
) -> list[float | None]:
    """Holm-corrected p of each metric (in rank order) having the first one's correlation."""
    draws = [instance_draws(c, quality_SI, instances) for c in columns_SI]
    return [None, *holm([paired_p(draws[0] - d) for d in draws[1:]])] if draws else []


def constant_for(values_SI: np.ndarray, systems: Sequence[str]) -> list[str]:
    """The systems to whose every text a metric gives the same value."""
    return [s for s, row in zip(systems, values_SI) if np.ptp(row) == 0]
