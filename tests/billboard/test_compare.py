"""Holm's correction, paired tests and groups of ties."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from olmeda.billboard.compare import fewest_resamples, holm, paired_p, pairwise_p, tie_groups
from olmeda.billboard.resample import Resamples, rank_intervals


def test_holm_of_a_worked_case() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), max_size=12))
def test_holm_never_lowers_p_and_keeps_their_order(p_values: list[float]) -> None:
    adjusted = holm(p_values)
    assert all(p <= a <= 1 for p, a in zip(p_values, adjusted))
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    assert [adjusted[i] for i in order] == sorted(adjusted)


def test_p_is_one_without_a_difference_and_small_with_a_clear_one() -> None:
    assert paired_p(np.zeros(999)) == 1.0
    assert paired_p(np.ones(999)) == 2 / 1000
    assert paired_p(np.full(9, np.nan)) == 1.0


def test_clear_leader_stands_alone_and_equals_share_a_group() -> None:
    rng = np.random.default_rng(0)
    base = rng.normal(size=(1, 80))
    scores = np.concatenate([base, base + 0.001 * rng.normal(size=(1, 80)), base + 3], axis=0)
    means = Resamples.draw("instances", 80, 2000, rng).means(scores.T)
    assert tie_groups([2, 0, 1], pairwise_p(means)) == [1, 2, 2]
    assert rank_intervals(means)[2] == (1, 1)
    assert rank_intervals(means)[0] == (2, 3)


def test_enough_resamples_let_a_pair_differ() -> None:
    for systems in (2, 9, 14):
        least = fewest_resamples(systems)
        pairs = systems * (systems - 1) // 2
        assert paired_p(np.ones(least)) * pairs < 0.05
        assert paired_p(np.ones(least // 2)) * pairs > 0.05
