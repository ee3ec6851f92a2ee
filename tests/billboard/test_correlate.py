"""Correlations equal scipy's and the published ones; intervals say what they resample."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from olmeda.billboard.correlate import (
    agreement,
    kendall,
    order_agreement,
    pearson,
    system_means,
)
from olmeda.billboard.resample import Resamples

from .conftest import Published


def noisy(seed: int, systems: int = 6, items: int = 40) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    quality = rng.normal(size=(systems, items)) + np.arange(systems)[:, None] / 2
    return quality + rng.normal(size=quality.shape), quality


def draws(systems: int = 6, items: int = 40, count: int = 400) -> tuple[Resamples, Resamples]:
    rng = np.random.default_rng(1)
    return (
        Resamples.draw("instances", items, count, rng),
        Resamples.draw("systems", systems, count, rng),
    )


def test_figures_equal_scipy() -> None:
    metric, quality = noisy(0)
    x, y = metric.ravel(), quality.ravel()
    assert pearson(metric, quality) == pytest.approx(stats.pearsonr(x, y).statistic)
    assert kendall(metric, quality) == pytest.approx(stats.kendalltau(x, y).statistic)
    means = system_means(metric, quality)
    tau, _ = order_agreement(means[0][None], means[1][None])
    assert tau[0] == pytest.approx(stats.kendalltau(*means).statistic)
    found = agreement(metric, quality, *draws())
    assert found.system.value == pytest.approx(stats.pearsonr(*means).statistic)


@pytest.mark.parametrize("board", ["cnndm", "wmt20-zh-en"])
def test_published_correlations(
    board: str, published: Callable[[str], Published], golden: dict[str, Any]
) -> None:
    found = published(board)
    quality = found.grid("human_score")
    for metric in [*found.metrics, "ensemble"]:
        values = found.grid(metric)
        per_instance = golden[board]["instance_pearson"][metric]
        per_system = golden[board]["system_pearson"][metric]
        assert pearson(values, quality) == pytest.approx(per_instance, abs=1e-9)
        assert pearson(*system_means(values, quality)) == pytest.approx(per_system, abs=1e-9)


def test_resampled_figures_equal_figures_of_resampled_data() -> None:
    metric, quality = noisy(2)
    instances, systems = draws(count=3)
    found = agreement(metric, quality, instances, systems)
    for resamples, axis, interval in (
        (instances, 1, found.instance),
        (systems, 0, found.over_systems),
    ):
        direct = [
            pearson(np.repeat(metric, c, axis=axis), np.repeat(quality, c, axis=axis))
            for c in resamples.counts_BC.astype(int)
        ]
        assert interval.low == pytest.approx(np.quantile(direct, 0.025))
        assert interval.high == pytest.approx(np.quantile(direct, 0.975))
        assert interval.resampled == resamples.of


def test_interval_over_instances_covers_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(5)
    inside = 0
    for _ in range(60):
        quality = rng.normal(size=(3, 60))
        metric = 0.6 * quality + 0.8 * rng.normal(size=quality.shape)
        instances = Resamples.draw("instances", 60, 200, rng)
        found = agreement(metric, quality, instances, Resamples.draw("systems", 3, 2, rng))
        assert found.instance.low is not None
        assert found.instance.high is not None
        inside += found.instance.low <= 0.6 <= found.instance.high
    assert 50 <= inside <= 60


@given(st.floats(0.1, 50), st.floats(-1e4, 1e4))
def test_correlation_does_not_see_scale_or_shift(scale: float, shift: float) -> None:
    metric, quality = noisy(3)
    assert pearson(metric * scale + shift, quality) == pytest.approx(
        pearson(metric, quality), abs=1e-6
    )


def test_missing_ratings_leave_pairs_out() -> None:
    metric, quality = noisy(4)
    quality[2, 5:] = np.nan
    there = np.isfinite(quality)
    expected = stats.pearsonr(metric[there], quality[there]).statistic
    found = agreement(metric, quality, *draws())
    assert found.instance.value == pytest.approx(expected)
    assert found.instance.n == there.sum()


@pytest.mark.parametrize(
    ("metric", "quality", "reason"),
    [
        (np.ones((6, 40)), noisy(0)[1], "the metric is constant"),
        (noisy(0)[0], np.ones((6, 40)), "quality is constant"),
        (noisy(0)[0], np.full((6, 40), np.nan), "only 0 values are rated"),
    ],
)
def test_degenerate_figures_have_a_reason_and_no_number(
    metric: np.ndarray, quality: np.ndarray, reason: str
) -> None:
    found = agreement(metric, quality, *draws())
    for figure in (found.instance, found.over_systems, found.system, found.system_over_systems):
        assert figure.value is figure.low is figure.high is None
        assert figure.reason == reason
    assert found.kendall.value is None


def test_pairwise_accuracy_halves_ties_of_the_metric_and_skips_ties_of_quality() -> None:
    _, accuracy = order_agreement(np.array([[1.0, 1.0, 2.0]]), np.array([[1.0, 2.0, 2.0]]))
    assert accuracy[0] == (0.5 + 1.0) / 2
