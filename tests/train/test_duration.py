from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from olmeda.train.duration import Duration, Position

AT = TypeAdapter(Duration).validate_python


def at(steps: int) -> Position:
    return Position(steps, steps * 100, steps / 8)


def test_a_plain_number_means_steps() -> None:
    assert AT(40) == Duration.steps(40)


@pytest.mark.parametrize("unit", ["steps", "tokens", "epochs"])
def test_a_unit_can_be_named_and_survives_being_written_down(unit: str) -> None:
    duration = AT({unit: 3})
    assert duration.unit == unit
    assert AT(duration.model_dump(mode="json")) == duration


@pytest.mark.parametrize("wrong", [{"hours": 3}, {"steps": 1, "tokens": 2}, -1, "soon", {}])
def test_what_is_no_duration_is_refused(wrong: object) -> None:
    with pytest.raises(ValidationError):
        AT(wrong)


def test_units_become_steps_and_no_positive_amount_becomes_none() -> None:
    assert Duration.tokens(1000).in_steps(at) == 10
    assert Duration.epochs(2).in_steps(at) == 16
    assert Duration.tokens(1).in_steps(at) == 1
    assert Duration.steps(0).in_steps(at) == 0


@given(st.floats(1e-3, 1e30))
def test_the_nearest_number_of_steps_is_found_however_large(amount: float) -> None:
    steps = Duration.tokens(amount).in_steps(at)
    assert steps >= 1
    assert abs(steps * 100 - amount) <= max(50, amount * 1e-15) or steps == 1


def test_every_fourth_step_is_due_at_each_fourth_step() -> None:
    every = Duration.steps(4)
    due = [n for n in range(1, 13) if every.due(at(n - 1), at(n), last=n == 12)]
    assert due == [4, 8, 12]


def test_ends_are_due_only_when_asked_for() -> None:
    assert not Duration.steps(4).due(None, at(0), last=False)
    assert Duration.steps(4, ends=True).due(None, at(0), last=False)
    assert not Duration.steps(4).due(at(4), at(5), last=True)
    assert Duration.steps(4, ends=True).due(at(4), at(5), last=True)


@given(st.integers(1, 50), st.integers(1, 200))
def test_a_rhythm_in_tokens_is_due_as_often_as_it_fits(amount: int, steps: int) -> None:
    every = Duration.tokens(amount * 100)
    due = sum(every.due(at(n - 1), at(n), last=False) for n in range(1, steps + 1))
    assert due == steps // amount
