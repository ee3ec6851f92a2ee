from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter
from transformers import get_cosine_schedule_with_warmup, get_inverse_sqrt_schedule

from olmeda.base.errors import ConfigError
from olmeda.train.duration import Duration, Position
from olmeda.train.schedule import (
    Constant,
    Cosine,
    Factor,
    Linear,
    Schedule,
    WarmupStableDecay,
    cosine,
    linear,
    one_less_sqrt,
    warm_up,
    warmup_stable_decay,
)

READ: Callable[[Any], Schedule] = TypeAdapter(Schedule).validate_python
KINDS = ["cosine", "linear", "wsd", "inverse_sqrt", "constant"]


def at(steps: int) -> Position:
    return Position(steps, steps * 100, steps / 8)


def factor(schedule: Schedule, total: int, warmup: int, after: Any = at) -> Factor:
    return schedule.factor(total, Duration.steps(warmup), after)


def test_warm_up_rises_in_equal_parts() -> None:
    assert [warm_up(n + 1, 4) for n in range(6)] == [0.25, 0.5, 0.75, 1, 1, 1]
    rising = factor(Constant(warmup_from=0.1), 9, 4)
    assert [rising(n) for n in range(5)] == pytest.approx([0.325, 0.55, 0.775, 1, 1])


def test_shapes_pass_through_their_known_points() -> None:
    assert cosine(0, 0.1) == pytest.approx(1)
    assert cosine(0.5, 0.1) == pytest.approx(0.55)
    assert cosine(1, 0.1) == pytest.approx(0.1)
    assert linear(0.25, 0.0) == pytest.approx(0.75)
    assert one_less_sqrt(0.25, 0.0) == pytest.approx(0.5)
    assert warmup_stable_decay(0.8, 0.2, 0.0) == 1
    assert warmup_stable_decay(0.9, 0.2, 0.0) == pytest.approx(0.5)
    assert warmup_stable_decay(0.85, 0.2, 0.0, one_less_sqrt) == pytest.approx(0.5)


def test_cosine_is_that_of_olmo() -> None:
    found = factor(Cosine(final=0.1), total=100, warmup=10)
    for step in (10, 37, 99):
        share = (step - 10) / 90
        olmo = 0.1 + 0.9 * (1 + math.cos(math.pi * share)) / 2
        assert found(step) == pytest.approx(olmo)


def rates_of_transformers(make: Any, steps: int) -> list[float]:
    """The rates that transformers gives, from its step 1 on: its first step has rate 0."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = make(optimizer)
    rates = []
    for _ in range(steps + 1):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


def test_against_transformers_whose_warm_up_begins_one_step_later() -> None:
    theirs = rates_of_transformers(lambda o: get_cosine_schedule_with_warmup(o, 10, 100), 99)
    ours = factor(Cosine(final=0), 100, 10)
    assert [ours(n) for n in range(10)] == pytest.approx(theirs[1:11])
    assert [ours(n) for n in range(10, 100)] == pytest.approx(theirs[10:100])
    theirs = rates_of_transformers(lambda o: get_inverse_sqrt_schedule(o, 10), 99)
    ours = factor(READ({"kind": "inverse_sqrt"}), 100, 10)
    assert [ours(n) for n in range(10, 100)] == pytest.approx(theirs[10:100])


@given(st.sampled_from(KINDS), st.sampled_from(["steps", "tokens"]), st.integers(1, 60),
       st.integers(1, 60))  # fmt: skip
def test_factor_stays_between_0_and_1_and_never_spends_a_step_on_nothing(
    kind: str, by: str, total: int, warmup: int
) -> None:
    found = factor(READ({"kind": kind, "by": by}), total, warmup)
    assert all(0 < found(step) <= 1 + 1e-12 for step in range(total))


@given(st.sampled_from(KINDS), st.integers(1, 60), st.integers(1, 60))
def test_by_tokens_equals_by_steps_where_batches_are_equal(
    kind: str, total: int, warmup: int
) -> None:
    steps = factor(READ({"kind": kind}), total, warmup)
    tokens = factor(READ({"kind": kind, "by": "tokens"}), total, warmup)
    assert [tokens(n) for n in range(total)] == pytest.approx([steps(n) for n in range(total)])


def growing(steps: int) -> Position:
    return Position(steps, 100 * min(steps, 4) + 300 * max(steps - 4, 0), 0.0)


def test_by_tokens_a_step_that_reads_more_moves_further() -> None:
    found = factor(Linear(by="tokens"), 8, 0, growing)
    assert [found(n) for n in range(8)] == pytest.approx(
        [1 - t / 1600 for t in (0, 100, 200, 300, 400, 700, 1000, 1300)]
    )


def test_olmo_2_follows_a_cosine_of_five_trillion_tokens_however_long_it_runs() -> None:
    schedule = Cosine(by="tokens", over=Duration.tokens(5e12))
    batch = 512 * 4096

    def after(steps: int) -> Position:
        return Position(steps, steps * batch, 0.0)

    found = schedule.factor(1_907_359, Duration.tokens(8.39e9), after)
    assert found(0) == pytest.approx(batch / 8.39e9)
    assert found(4001) == pytest.approx(1, abs=1e-5)
    share = (1_907_358 * batch - 8.39e9) / (5e12 - 8.39e9)
    assert found(1_907_358) == pytest.approx(cosine(share, 0.1))
    assert found(3_000_000) == pytest.approx(0.1)


def test_wsd_falls_as_told_and_only_in_the_end() -> None:
    found = factor(WarmupStableDecay(decay=0.25, fall="sqrt", final=0.1), 40, 0)
    assert {found(n) for n in range(31)} == {1.0}
    assert found(35) == pytest.approx(1 - 0.9 * math.sqrt(0.5))


def test_inverse_sqrt_without_warm_up_is_refused() -> None:
    with pytest.raises(ConfigError, match="needs one"):
        factor(READ({"kind": "inverse_sqrt"}), 10, 0)
