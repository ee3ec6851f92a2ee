"""The training loop of the whole project; pretraining, finetuning and preferences all call it.

What differs between them comes in as ``batches`` and ``loss_fn``; what happens beside the steps
(measuring, logging, saving, stopping) is the visible list ``every``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch
from torch import nn

from olmeda.base.errors import OlmedaError
from olmeda.train.duration import Duration, Position
from olmeda.train.machine import naming_shortage
from olmeda.train.optim import set_rates
from olmeda.train.skip import Skip
from olmeda.train.step import Inspector, LossFn, MicroBatch, is_finite, train_step
from olmeda.train.world import ALONE, World


class Diverged(OlmedaError):
    """The loss or its gradient is not a number any more."""


class Batches(Protocol):
    """The data of a run: every step's batch by its number, so that resuming needs no replay."""

    @property
    def order_digest(self) -> str:
        """The identity of the order of the data."""

    def after(self, steps: int) -> Position:
        """Where training is after so many steps, by plan; ``train`` counts the tokens it meets."""

    def at(self, step: int) -> Sequence[MicroBatch]:
        """The micro-batches of one step, counted from 0; of a world, this process's part."""


@dataclass(frozen=True)
class Moment:
    """Where training is between two steps, with what was measured of the step before."""

    position: Position
    measures: Mapping[str, Any]
    last: bool


Hook = Callable[[Moment], Mapping[str, Any]]
"""Called between steps; what it returns is added to the moment that later hooks see."""
Every = Sequence[tuple[Duration, Hook]]


def call_hooks(every: Every, before: Position | None, moment: Moment) -> None:
    """Call, in order, the hooks that are due."""
    for rhythm, hook in every:
        if rhythm.due(before, moment.position, moment.last):
            moment = replace(moment, measures={**moment.measures, **hook(moment)})


def train(
    model: nn.Module,
    batches: Batches,
    loss_fn: LossFn,
    optimizers: Sequence[torch.optim.Optimizer],
    *,
    rate: Callable[[int], float],
    clip: Callable[[int], float],
    until: int,
    every: Every,
    start: Position | None = None,
    world: World = ALONE,
    inspect: Sequence[tuple[Duration, Inspector]] = (),
    skip: Skip | None = None,
) -> Position:
    """Train until step ``until``, from ``start`` if a saved state gave one; return where it ended.

    ``rate(step)`` is the learning rate and ``clip(step)`` the largest norm of the gradient. Raises
    Diverged, with the model as it was before the step, when the loss or the gradient is not finite
    (unless ``skip`` leaves that step out), OutOfMemory where a step does not fit.
    """
    now = start or Position(0, 0, 0.0)
    if start is None:
        call_hooks(every, None, Moment(now, {}, last=until == 0))
    while now.steps < until:
        number = now.steps
        set_rates(optimizers, rate(number))
        with naming_shortage(number + 1):
            batch = batches.at(number)
        before, now = now, _advance(now, batch, batches, world)
        due = [look for rhythm, look in inspect if rhythm.due(before, now, now.steps == until)]
        measures = {"lr": rate(number)}
        with naming_shortage(now.steps):
            measures |= train_step(
                model, batch, loss_fn, optimizers, clip(number),
                world=world, inspect=due, skip=skip,
            )  # fmt: skip
        if not is_finite(measures) and not measures.get("skipped"):
            raise Diverged(
                f"step {now.steps}: the loss is {measures['loss']} and the norm of its "
                f"gradient {measures['grad_norm']}; lower lr or clip, or lengthen warmup"
            )
        call_hooks(every, before, Moment(now, measures, last=now.steps == until))
    return now


def _advance(
    now: Position, batch: Sequence[MicroBatch], batches: Batches, world: World
) -> Position:
    (tokens,) = world.total(sum(micro.tokens for micro in batch))
    steps = now.steps + 1
    return Position(steps, now.tokens + int(tokens), batches.after(steps).epochs)
