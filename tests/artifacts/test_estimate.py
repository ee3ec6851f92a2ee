"""Bootstrap means: paired between systems, apart between groups, as wide as theory says."""

from __future__ import annotations

import numpy as np
import pytest

from olmeda.artifacts.estimate import estimated, resampled_means


def test_systems_are_resampled_by_the_same_items() -> None:
    values = np.random.default_rng(0).random((1, 30))
    draws = resampled_means(np.vstack([values, values + 1]), seed=3)
    assert np.allclose(draws[1] - draws[0], 1.0)


def test_groups_of_one_seed_draw_apart() -> None:
    values = np.arange(20.0)[None]
    first, again, other = (resampled_means(values, 5, group, 50) for group in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_interval_is_the_normal_one_for_many_items() -> None:
    values = np.random.default_rng(1).normal(3, 2, (1, 2000))
    found = estimated(float(values.mean()), resampled_means(values, 1)[0], 2000)
    half = 1.96 * float(values.std()) / np.sqrt(2000)
    assert found.low < found.value < found.high
    assert found.high - found.low == pytest.approx(2 * half, rel=0.1)
