"""Train a model inside an artifact in the making: resume, log, save, probe; the loop does the rest.

Used by every verb that trains. Leaves ``progress.jsonl`` and ``journal/speed.jsonl`` behind, and
the state to resume from in ``resume/`` until ``finish`` removes it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from olmeda.artifacts.lineage import Making
from olmeda.base.log import say
from olmeda.model.config import ModelConfig
from olmeda.model.flops import active_parameters, parameters
from olmeda.train.balance import balancing
from olmeda.train.duration import Duration, Position
from olmeda.train.interrupt import noting_sigterm, stop_when_asked
from olmeda.train.loop import Batches, Diverged, Moment, train
from olmeda.train.machine import OutOfMemory
from olmeda.train.monitors import NOTHING, Monitors, Opening
from olmeda.train.progress import ProgressLog, SpeedLog, StepMeter
from olmeda.train.settings import LoopConfig
from olmeda.train.state import FOLDER, SavedState, forget, restore, save_state, saved_state
from olmeda.train.step import LossFn
from olmeda.train.world import ALONE, World

EACH_STEP = Duration.steps(1)


def fit(
    model: nn.Module,
    batches: Batches,
    loss_fn: LossFn,
    loop: LoopConfig,
    making: Making,
    monitors: Monitors = NOTHING,
    world: World = ALONE,
) -> Position:
    """Train ``model`` in place as ``loop`` says, from the saved state if an earlier run left one.

    ``monitors`` run before a step is logged, so that what they measure enters its row. Raises
    Diverged naming the step and the last saved state; ResourceError after SIGTERM.
    """
    until = loop.until.in_steps(batches.after)
    optimizers = loop.optim.build(model, loop.lr)
    skip = loop.skip.build() if loop.skip else None
    memory = {**monitors.memory, **(skip.memory if skip else {})}
    folder = making.path / FOLDER
    held = saved_state(folder) if making.resumed else None
    if held is not None:
        restore(folder, held, model, optimizers, batches.order_digest, memory)
        say(f"{making.path.name}: going on after step {held.steps} of {until}")
    with contextlib.ExitStack() as stack:
        log = ProgressLog(making.path / "progress.jsonl", held.progress_bytes if held else 0)
        speed = SpeedLog(making.journal / "speed.jsonl")
        label = making.path.name.removeprefix(".").removesuffix(".making")
        meter = StepMeter(label, until, held.steps if held else 0, speed)
        for part in (log, speed, meter):
            stack.callback(part.close)
        opening = Opening(label, making.journal, held.steps if held else 0)
        shown_in = monitors.trackers if world.is_first else ()
        trackers = [stack.enter_context(tracker(opening)) for tracker in shown_in]
        save = _saver(folder, model, optimizers, batches.order_digest, log, memory)
        request = stack.enter_context(noting_sigterm())
        every = [
            *balancing(model, world),
            *monitors.every,
            (loop.log_every, log.record),
            (loop.log_every, speed.record),
            *((loop.log_every, tracker) for tracker in trackers),
            (EACH_STEP, meter.advance),
            (loop.save_every, save),
            (EACH_STEP, stop_when_asked(request, save, folder)),
        ]
        model.train()
        try:
            return train(
                model,
                batches,
                loss_fn,
                optimizers,
                rate=loop.rates(until, batches.after),
                clip=loop.clips(batches.after),
                until=until,
                every=every,
                start=held.position if held else None,
                world=world,
                inspect=monitors.inspect,
                skip=skip,
            )
        except (Diverged, OutOfMemory) as problem:
            raise type(problem)(f"{problem}. {_last_saved(folder)}") from None


def finish(making: Making, end: Position, model: ModelConfig) -> None:
    """Count what was trained, and remove the state to resume from; call after the checkpoint."""
    forget(making.path / FOLDER)
    making.counts |= {
        "tokens": end.tokens,
        "steps": end.steps,
        "parameters": parameters(model),
        "active_parameters": active_parameters(model),
    }


def _saver(
    folder: Path,
    model: nn.Module,
    optimizers: Sequence[torch.optim.Optimizer],
    order_digest: str,
    log: ProgressLog,
    memory: Mapping[str, torch.Tensor],
) -> Callable[[Moment], Mapping[str, Any]]:
    def save(moment: Moment) -> Mapping[str, Any]:
        logged = log.saved_bytes()
        save_state(folder, model, optimizers, moment.position, order_digest, logged, memory)
        return {}

    return save


def _last_saved(folder: Path) -> str:
    held: SavedState | None = saved_state(folder)
    if held is None:
        return "No state was saved before it"
    return f"The last saved state is of step {held.steps} and lies in {folder}"
