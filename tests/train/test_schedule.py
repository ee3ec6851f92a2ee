from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from olmeda.train.schedule import (
    Constant,
    Cosine,
    Linear,
    WarmupStableDecay,
    cosine,
    linear,
    warm_up,
    warmup_stable_decay,
)


def test_warm_up_rises_in_equal_parts() -> None:
    assert [warm_up(n, 4) for n in range(6)] == [0.25, 0.5, 0.75, 1, 1, 1]


def test_shapes_pass_through_their_known_points() -> None:
    assert cosine(0, 0.1) == pytest.approx(1)
    assert cosine(0.5, 0.1) == pytest.approx(0.55)
    assert cosine(1, 0.1) == pytest.approx(0.1)
    assert linear(0.25, 0.0) == pytest.approx(0.75)
    assert warmup_stable_decay(0.8, 0.2, 0.0) == 1
    assert warmup_stable_decay(0.9, 0.2, 0.0) == pytest.approx(0.5)


def test_cosine_is_that_of_olmo() -> None:
    factor = Cosine(final=0.1).build(total=100, warmup=10)
    for step in (10, 37, 99):
        share = (step - 10) / 90
        olmo = 0.1 + 0.9 * (1 + math.cos(math.pi * share)) / 2
        assert factor(step) == pytest.approx(olmo)


@given(
    st.sampled_from([Cosine(), Linear(), WarmupStableDecay(), Constant()]),
    st.integers(1, 60),
    st.integers(0, 60),
)
def test_factor_stays_between_0_and_1_and_never_spends_a_step_on_nothing(
    schedule: Cosine | Linear | WarmupStableDecay | Constant, total: int, warmup: int
) -> None:
    factor = schedule.build(total, min(warmup, total))
    assert all(0 < factor(step) <= 1 + 1e-12 for step in range(total))
