"""Means with intervals: exact mean, seeded interval, more items narrower."""

from __future__ import annotations

import numpy as np
import pytest

from olmeda.artifacts.scores import Score
from olmeda.evals.aggregate import bootstrap_means, estimate, summarise


def test_interval_holds_the_mean_and_repeats_itself() -> None:
    found = estimate([0, 1, 1, 0, 1], 7)
    assert found.value == pytest.approx(0.6)
    assert found.low < 0.6 < found.high
    assert found == estimate([0, 1, 1, 0, 1], 7)
    assert found.n == 5


def test_equal_values_have_no_width() -> None:
    assert estimate([0.25] * 9, 1).low == estimate([0.25] * 9, 1).high == 0.25


def test_interval_is_the_normal_one_for_many_items() -> None:
    values = np.random.default_rng(0).normal(3, 2, 2000)
    found = estimate(values, 1)
    half = 1.96 * values.std() / np.sqrt(len(values))
    assert found.high - found.low == pytest.approx(2 * half, rel=0.1)


def test_draws_hang_on_seed_and_number_alone() -> None:
    one, other = np.arange(10.0), np.arange(10.0) * 2
    assert np.allclose(bootstrap_means(one, 5) * 2, bootstrap_means(other, 5))
    assert not np.allclose(bootstrap_means(one, 5), bootstrap_means(one, 6))


def test_summary_keeps_systems_tasks_and_scorers_apart() -> None:
    rows = [Score(s, t, str(i), "f1", float(i), "metric:f1")
            for s in "ab" for t in ("x", "y") for i in range(2)]  # fmt: skip
    summary = summarise(rows, 1)
    assert list(summary) == ["a", "b"]
    assert summary["a"]["y"]["f1"].value == 0.5
