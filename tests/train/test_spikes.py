from __future__ import annotations

import numpy as np
import pytest
import torch

from olmeda.train.duration import Position
from olmeda.train.loop import Moment
from olmeda.train.spikes import SpikeMeter, sigmas_above


def at(step: int, loss: float, norm: float = 1.0) -> Moment:
    return Moment(Position(step, step * 10, 0.0), {"loss": loss, "grad_norm": norm}, last=False)


def test_scores_are_deviations_above_the_steps_before() -> None:
    losses = np.random.default_rng(1).normal(3.0, 0.1, 60)
    meter = SpikeMeter(window=20, sigmas=6.0)
    for step, loss in enumerate(losses):
        found = meter.score(at(step, loss))
        past = losses[max(0, step - 20) : step]
        if step < 20:
            assert found == {}
            continue
        expected = (loss - past.mean()) / past.std()
        assert found["spike/loss"] == pytest.approx(expected, abs=1e-4)
        assert found["spike_rate/loss"] == 0.0
        assert found["spike/grad_norm"] == 0.0, "what never moves has no spikes"


def test_a_step_far_above_is_a_spike_and_one_far_below_is_none() -> None:
    meter = SpikeMeter(window=10, sigmas=6.0)
    for step in range(10):
        meter.score(at(step, 3.0 + 0.1 * (step % 2), 1.0 + 0.1 * (step % 2)))
    fallen = meter.score(at(10, 1.0, 9.0))
    assert fallen["spike/loss"] < -6
    assert fallen["spike_rate/loss"] == 0.0
    assert fallen["spike_rate/grad_norm"] == 1.0
    assert meter.score(at(11, 3.0))["spike_rate/grad_norm"] == 0.5


def test_another_meter_with_the_same_memory_goes_on_alike() -> None:
    losses = np.random.default_rng(2).normal(3.0, 0.1, 30).tolist()
    one, other = SpikeMeter(8, 1.0), SpikeMeter(8, 1.0)
    for step, loss in enumerate(losses[:20]):
        one.score(at(step, loss))
    for name, value in other.memory.items():
        value.copy_(one.memory[name])
    for step, loss in enumerate(losses[20:], 20):
        assert one.score(at(step, loss)) == other.score(at(step, loss))


def test_the_start_of_a_run_is_no_step() -> None:
    meter = SpikeMeter(2, 6.0)
    assert meter.score(Moment(Position(0, 0, 0.0), {}, last=False)) == {}
    assert int(meter.memory["spikes.seen"]) == 0


def test_no_spread_is_no_score() -> None:
    assert sigmas_above(5.0, torch.full((4,), 2.0)) == 0.0


def test_what_is_no_number_does_not_enter_the_window() -> None:
    seen, spared = SpikeMeter(8, 6.0), SpikeMeter(8, 6.0)
    for step, loss in enumerate(np.random.default_rng(3).normal(3.0, 0.1, 20)):
        assert seen.score(at(step, loss)) == spared.score(at(step, loss))
        if step == 10:
            assert seen.score(at(step, float("nan"))) == {}
            assert seen.score(at(step, 3.0, float("inf"))) == {}
    assert "spike/loss" in seen.score(at(21, 3.0))
