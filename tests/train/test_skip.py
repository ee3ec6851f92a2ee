from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from olmeda.train.skip import SkipConfig, SpikeSkipper


def losses(count: int, seed: int = 0) -> list[float]:
    return (3 + 0.1 * np.random.default_rng(seed).standard_normal(count)).tolist()


def test_a_loss_or_norm_six_sigma_above_the_window_is_left_out_and_no_other_step() -> None:
    skip = SkipConfig().build()
    assert not any(skip(loss, 1.0 + 0.01 * loss) for loss in losses(200))
    assert skip(4.5, 1.03)
    assert not skip(1.0, 1.03)
    assert skip(3.0, 2.0)


def test_the_threshold_is_mean_plus_sigmas_times_the_deviation_of_the_last_window() -> None:
    seen = losses(300)
    for above, skipped in ((1.001, True), (0.999, False)):
        skip = SpikeSkipper(6.0, 128, 8)
        for loss in seen:
            skip(loss, 1.0)
        last = np.array(seen[-128:])
        assert skip(last.mean() + above * 6 * last.std(ddof=1), 1.0) is skipped


def test_nothing_is_left_out_before_half_a_window_is_known() -> None:
    skip = SkipConfig(window=10).build()
    assert not any(skip(loss, 1.0) for loss in (1.0, 1.1, 1.0, 1.1, 500.0))
    skip = SkipConfig(window=10).build()
    assert [skip(loss, 1.0) for loss in (1.0, 1.1, 1.0, 1.1, 1.0, 500.0)][-1]


def test_a_level_that_stays_is_followed() -> None:
    skip = SkipConfig(window=16).build()
    for loss in losses(32):
        skip(loss, 1.0)
    skipped = [skip(loss + 3, 1.0) for loss in losses(20, seed=1)]
    assert skipped[0]
    assert not any(skipped[3:])


def test_steps_without_a_number_are_left_out_a_few_times_in_a_row() -> None:
    skip = SkipConfig(most_without_number=2).build()
    found = [skip(loss, 1.0) for loss in (math.nan, math.inf, 1.0, math.nan, math.nan, math.nan)]
    assert found == [True, True, False, True, True, False]


@pytest.mark.parametrize("at", [3, 150])
def test_what_is_remembered_can_be_put_back(at: int) -> None:
    straight, first, second = (SkipConfig().build() for _ in range(3))
    seen = [*losses(200), 5.0, *losses(60, 2), 4.2]
    expected = [straight(loss, loss) for loss in seen]
    found = [first(loss, loss) for loss in seen[:at]]
    for name, held in second.memory.items():
        held.copy_(first.memory[name])
    assert found + [second(loss, loss) for loss in seen[at:]] == expected
    assert any(expected)
    assert all(isinstance(held, torch.Tensor) for held in second.memory.values())
