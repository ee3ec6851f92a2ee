"""One optimiser step over micro-batches, each unit of the batch counting the same."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from olmeda.train.gradients import clip as clip_gradients
from olmeda.train.gradients import summed
from olmeda.train.skip import Skip
from olmeda.train.world import ALONE, World


class MicroBatch(Protocol):
    """What a loss function can read; as much as fits in memory at once."""

    @property
    def units(self) -> int:
        """How many things the loss is averaged over: trainable tokens, or pairs."""

    @property
    def tokens(self) -> int:
        """How many tokens the model reads."""


@dataclass(frozen=True)
class Losses:
    """What a loss function says about one micro-batch.

    ``total`` is summed over the units; ``penalty`` is a mean of its own and is added with the
    micro-batch's share of the units; ``measures`` are sums over the units, reported as means.
    """

    total: Tensor
    penalty: Tensor | None = None
    measures: Mapping[str, Tensor] = field(default_factory=dict)


Inspector = Callable[[nn.Module], Mapping[str, Any]]
"""Called after the gradients of a step are summed and before they are clipped; what it returns
joins the measures of the step. Every process of the world calls it."""

LossFn = Callable[[Any, Any], Losses]
"""``loss_fn(model, micro_batch)``."""


def accumulate(
    model: nn.Module, batch: Sequence[MicroBatch], loss_fn: LossFn, world: World = ALONE
) -> dict[str, float]:
    """Add up the gradients of a batch; return ``loss`` and the measures as means over its units.

    ``batch`` is this process's part of the step; units and measures are summed over the world.

    The mean is over all units of the batch, so the split into micro-batches changes nothing but
    rounding (a mean of micro-batch means would count units of short ones more).
    """
    (counted,) = world.total(sum(micro.units for micro in batch))
    units = max(counted, 1.0)  # of a batch that is masked whole, the loss and its gradient are 0
    sums: dict[str, float] = {}
    for number, micro in enumerate(batch, 1):
        losses = loss_fn(model, micro)
        objective = losses.total / units
        if losses.penalty is not None:
            objective = objective + losses.penalty * (micro.units / units)
        with summed(model, world, last=number == len(batch)):
            objective.backward()  # type: ignore[no-untyped-call]
        for name, value in {"loss": losses.total, **losses.measures}.items():
            sums[name] = sums.get(name, 0.0) + float(value.detach())
    totals = world.total(*sums.values())
    return {name: value / units for name, value in zip(sums, totals, strict=True)}


def train_step(
    model: nn.Module,
    batch: Sequence[MicroBatch],
    loss_fn: LossFn,
    optimizers: Sequence[torch.optim.Optimizer],
    clip: float,
    *,
    world: World = ALONE,
    inspect: Sequence[Inspector] = (),
    skip: Skip | None = None,
) -> dict[str, Any]:
    """Accumulate, clip the gradient's norm to ``clip``, update; return what was measured.

    ``inspect``: called with the model while it holds the step's gradients, before they are
    clipped. A loss or gradient that is not finite updates nothing: the caller decides what then;
    neither does a step that ``skip`` leaves out (``skipped`` is 1 then).
    """
    measures: dict[str, Any] = dict(accumulate(model, batch, loss_fn, world))
    for inspector in inspect:
        measures |= inspector(model)
    measures["grad_norm"] = clip_gradients(model, clip, world)
    skipped = skip is not None and skip(measures["loss"], measures["grad_norm"])
    if skip is not None:
        measures["skipped"] = float(skipped)
    if is_finite(measures) and not skipped:
        for optimizer in optimizers:
            optimizer.step()
    for optimizer in optimizers:
        optimizer.zero_grad(set_to_none=True)
    return measures


def is_finite(measures: Mapping[str, Any]) -> bool:
    """Whether the loss and the gradient's norm are numbers one can go on with."""
    return math.isfinite(measures["loss"]) and math.isfinite(measures["grad_norm"])
