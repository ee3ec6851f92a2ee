from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from olmeda.train.duration import Duration, Position
from olmeda.train.loop import Diverged, Moment, train
from olmeda.train.skip import SkipConfig
from olmeda.train.step import Losses


@dataclass(frozen=True)
class Numbers:
    x_N: Tensor
    units: int = 2
    tokens: int = 7


@dataclass(frozen=True)
class TwoANumber:
    """Two numbers a step; the step with number ``bad`` is no number."""

    bad: int = -1
    order_digest: str = ""

    def after(self, steps: int) -> Position:
        return Position(steps, steps * 7, steps / 4)

    def at(self, step: int) -> list[Numbers]:
        value = float("nan") if step == self.bad else float(step)
        return [Numbers(torch.tensor([value, 1.0]))]


def loss(model: nn.Module, micro: Numbers) -> Losses:
    return Losses(model(micro.x_N[:, None]).square().sum())


def run(
    every: Any, bad: int = -1, until: int = 6, start: Position | None = None, skip: Any = None
) -> Position:
    model = nn.Linear(1, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    return train(
        model, TwoANumber(bad), loss, [optimizer], rate=lambda step: 0.5 / (step + 1),
        clip=lambda step: 1.0, until=until, every=every, start=start, skip=skip,
    )  # fmt: skip


def test_hooks_are_called_in_order_when_due_and_see_what_the_ones_before_measured() -> None:
    seen: list[tuple[str, int, Mapping[str, Any]]] = []

    def measure(moment: Moment) -> Mapping[str, Any]:
        seen.append(("measure", moment.position.steps, {}))
        return {"held": moment.position.steps}

    def log(moment: Moment) -> Mapping[str, Any]:
        seen.append(("log", moment.position.steps, moment.measures))
        return {}

    run([(Duration.steps(3, ends=True), measure), (Duration.steps(2, ends=True), log)])
    assert [(name, step) for name, step, _ in seen] == [
        ("measure", 0), ("log", 0), ("log", 2), ("measure", 3), ("log", 4), ("measure", 6),
        ("log", 6),
    ]  # fmt: skip
    assert seen[1][2] == {"held": 0}
    assert "held" not in seen[2][2]
    assert seen[-1][2]["held"] == 6
    assert seen[-1][2]["lr"] == 0.5 / 6


def test_position_counts_steps_tokens_and_epochs() -> None:
    assert run([]) == Position(6, 42, 1.5)
    assert run([], start=Position(5, 35, 1.25)) == Position(6, 42, 1.5)


def test_a_resumed_loop_does_not_begin_again() -> None:
    calls: list[int] = []
    every = [(Duration.steps(1, ends=True), lambda m: calls.append(m.position.steps) or {})]
    run(every, start=Position(4, 28, 1.0))
    assert calls == [5, 6]


def test_a_loss_that_is_no_number_ends_the_loop_and_names_the_step() -> None:
    with pytest.raises(Diverged, match="step 4: the loss is nan"):
        run([], bad=3)


def test_a_step_that_is_left_out_is_told_and_training_goes_on() -> None:
    seen: list[Mapping[str, Any]] = []
    every = [(Duration.steps(1), lambda m: seen.append(m.measures) or {})]
    assert run(every, bad=3, skip=SkipConfig(most_without_number=1).build()).steps == 6
    assert [m["skipped"] for m in seen] == [0, 0, 0, 1, 0, 0]
    with pytest.raises(Diverged, match="step 4"):
        run(every, bad=3, skip=SkipConfig(most_without_number=0).build())
