"""How well a metric agrees with quality: per instance and per system, with bootstrap intervals.

Shapes: S systems, I instances, B resamples. Missing values are NaN and leave pairs out.
"""

from __future__ import annotations

import msgspec
import numpy as np

from olmeda.billboard.resample import Estimate, Resamples, estimate

TINY = 1e-12
"""Share of the second moment below which a variance is rounding error."""


class Agreement(msgspec.Struct, frozen=True):
    """One metric against quality.

    ``instance``: Pearson over (system, instance) pairs, instances resampled; ``over_systems``: the
    same figure with systems resampled. ``system``: Pearson of system means, instances resampled;
    ``system_over_systems`` with systems resampled. Kendall is tau-b. ``pairwise``: share of system
    pairs that the metric orders as quality does (a tie of the metric counts half).
    """

    instance: Estimate
    over_systems: Estimate
    kendall: Estimate
    system: Estimate
    system_over_systems: Estimate
    system_kendall: Estimate
    pairwise: Estimate


def agreement(
    metric_SI: np.ndarray, quality_SI: np.ndarray, instances: Resamples, systems: Resamples
) -> Agreement:
    """All figures of one metric. ``instances`` draws columns, ``systems`` draws rows."""
    n = int(np.isfinite(metric_SI * quality_SI).sum())
    count = len(metric_SI)
    reason = _degenerate(metric_SI, quality_SI)
    few = "only two systems" if count == 2 else "only one system" if count < 2 else ""
    pooled = pearson(metric_SI, quality_SI)
    x_S, y_S = system_means(metric_SI, quality_SI)
    x_BS = instances.means(np.where(np.isfinite(quality_SI), metric_SI, np.nan).T)
    y_BS = instances.means(np.where(np.isfinite(metric_SI), quality_SI, np.nan).T)
    means = None if few else pearson(x_S, y_S)
    tau, orders = order_agreement(x_S[None], y_S[None])
    tau_B, orders_B = order_agreement(x_BS, y_BS)
    flat = few or reason or "system means do not differ"

    def over_systems(xs_SI: np.ndarray, ys_SI: np.ndarray) -> np.ndarray:
        told_B = (systems.counts_BC > 0).sum(axis=1) > 2  # two points always lie on a line
        return np.where(told_B, pearson_of(systems.sums(moments(xs_SI, ys_SI))), np.nan)

    return Agreement(
        estimate(pooled, instance_draws(metric_SI, quality_SI, instances), "instances", n, reason),
        estimate(pooled, over_systems(metric_SI, quality_SI), "systems", n, reason),
        Estimate(kendall(metric_SI, quality_SI), n=n, reason=reason),
        estimate(means, _rowwise_pearson(x_BS, y_BS), "instances", count, flat),
        estimate(means, over_systems(x_S[:, None], y_S[:, None]), "systems", count, flat),
        estimate(None if few else tau[0], tau_B, "instances", count, flat),
        estimate(None if few else orders[0], orders_B, "instances", count, flat),
    )


def _degenerate(metric_SI: np.ndarray, quality_SI: np.ndarray) -> str:
    both = np.isfinite(metric_SI * quality_SI)
    if both.sum() < 3:
        return f"only {int(both.sum())} values are rated"
    if np.ptp(metric_SI[both]) == 0:
        return "the metric is constant"
    return "quality is constant" if np.ptp(quality_SI[both]) == 0 else ""


def moments(x_CN: np.ndarray, y_CN: np.ndarray) -> np.ndarray:
    """Per cluster: n, Σx, Σy, Σxx, Σyy, Σxy over pairs where both are there: [C, 6].

    Both are centred at their overall means first, which no correlation sees and rounding needs.
    """
    both = np.isfinite(x_CN * y_CN)
    x, y = _centred(x_CN, both), _centred(y_CN, both)
    parts = [both * 1.0, x, y, x * x, y * y, x * y]
    return np.stack([part.sum(axis=1) for part in parts], axis=1)


def _centred(values: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Values less the mean of those that are there; zero where they are not."""
    return np.where(there, values - values.mean(where=there), 0.0) if there.any() else there * 0.0


def pearson_of(sums_B6: np.ndarray) -> np.ndarray:
    """Pearson's r [B] from rows of ``moments`` sums; NaN where a side is constant."""
    n, x, y, xx, yy, xy = sums_B6.T
    with np.errstate(invalid="ignore", divide="ignore"):
        var_x, var_y = xx - x * x / n, yy - y * y / n
        flat = (var_x <= TINY * xx) | (var_y <= TINY * yy)
        r = (xy - x * y / n) / np.sqrt(var_x * var_y)
    return np.where(flat | ~np.isfinite(r), np.nan, np.clip(r, -1, 1))


def pearson(x: np.ndarray, y: np.ndarray) -> float | None:
    """Pearson's r over all pairs present in both (any equal shape); None if there is none."""
    r = pearson_of(moments(x.reshape(1, -1), y.reshape(1, -1)))[0]
    return None if np.isnan(r) else float(r)


def instance_draws(
    metric_SI: np.ndarray, quality_SI: np.ndarray, instances: Resamples
) -> np.ndarray:
    """Pooled Pearson [B] with instances redrawn, all systems of an instance together."""
    return pearson_of(instances.sums(moments(metric_SI.T, quality_SI.T)))


def kendall(x: np.ndarray, y: np.ndarray) -> float | None:
    """Kendall's tau-b over all pairs present in both; None where a side is constant."""
    from scipy.stats import kendalltau  # imported here: it takes a second, and few runs need it

    both = np.isfinite(x * y)
    if both.sum() < 2 or np.ptp(x[both]) == 0 or np.ptp(y[both]) == 0:
        return None
    return float(kendalltau(x[both], y[both]).statistic)


def system_means(metric_SI: np.ndarray, quality_SI: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Means [S] of both over the instances where both are there (NaN where there are none)."""
    both = np.isfinite(metric_SI * quality_SI)
    with np.errstate(invalid="ignore"):
        count = both.sum(axis=1)
        x = np.where(both, metric_SI, 0.0).sum(axis=1) / count
        return x, np.where(both, quality_SI, 0.0).sum(axis=1) / count


def _rowwise_pearson(x_BS: np.ndarray, y_BS: np.ndarray) -> np.ndarray:
    both = np.isfinite(x_BS * y_BS)
    x, y = _centred(x_BS, both), _centred(y_BS, both)
    parts = [both * 1.0, x, y, x * x, y * y, x * y]
    return pearson_of(np.stack([part.sum(axis=1) for part in parts], axis=1))


def order_agreement(x_BS: np.ndarray, y_BS: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Kendall's tau-b [B] and pairwise accuracy [B] of the systems' order, row by row.

    Pairs that quality (``y``) ties do not count towards accuracy.
    """
    first, second = np.triu_indices(x_BS.shape[1], 1)
    dx = np.sign(x_BS[:, first] - x_BS[:, second])
    dy = np.sign(y_BS[:, first] - y_BS[:, second])
    with np.errstate(invalid="ignore", divide="ignore"):
        tau = (dx * dy).sum(axis=1) / np.sqrt((dx * dx).sum(axis=1) * (dy * dy).sum(axis=1))
        told = (dy != 0).sum(axis=1)
        right = ((dx == dy) & (dy != 0)) + 0.5 * ((dx == 0) & (dy != 0))
        accuracy = right.sum(axis=1) / told
    return tau, accuracy
