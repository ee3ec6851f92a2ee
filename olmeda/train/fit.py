"""Train a model inside an artifact in the making: resume, log, save, probe; the loop does the rest.

Used by every verb that trains. Leaves ``progress.jsonl`` and ``journal/speed.jsonl`` behind, and
the state to resume from in ``resume/``, which goes when the artifact is recorded.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import nn

from olmeda.artifacts.lineage import Making
from olmeda.artifacts.training_log import Launch
from olmeda.base.log import say
from olmeda.model.config import ModelConfig
from olmeda.model.flops import active_parameters, parameters
from olmeda.train.balance import balancing
from olmeda.train.checkpoints import CheckpointsConfig, clear_others, keeper
from olmeda.train.duration import Duration, Position
from olmeda.train.going_back import GoingBack
from olmeda.train.interrupt import noting_sigterm, stop_when_asked
from olmeda.train.loop import Batches, Every, Hook, train
from olmeda.train.monitors import NOTHING, Monitors, Opening
from olmeda.train.progress import ProgressLog, SpeedLog, StepMeter, note_launch
from olmeda.train.saving import StateSaver
from olmeda.train.settings import LoopConfig
from olmeda.train.state import (
    FOLDER,
    SavedState,
    Trained,
    drop_unfinished,
    restore,
)
from olmeda.train.step import LossFn
from olmeda.train.whole_state import whole_state
from olmeda.train.world import ALONE, World

EACH_STEP = Duration.steps(1)
STATES = CheckpointsConfig()


def fit(
    model: nn.Module,
    batches: Batches,
    loss_fn: LossFn,
    loop: LoopConfig,
    making: Making,
    monitors: Monitors = NOTHING,
    world: World = ALONE,
    checkpoints: CheckpointsConfig = STATES,
    write: Callable[[Path], None] | None = None,
    optimizers: Sequence[torch.optim.Optimizer] | None = None,
) -> Position:
    """Train ``model`` in place as ``loop`` says, from the saved state if an earlier run left one.

    ``monitors`` run before a step is logged, so that what they measure enters its row.
    ``write(folder)`` writes the model as it is, for the checkpoints that are kept; ``optimizers``:
    those of ``loop`` unless given. Raises Diverged naming the step and the last saved state;
    ResourceError after SIGTERM, and where a state could not be saved; ArtifactError where kept
    checkpoints of another run are in the way.
    """
    until = loop.until.in_steps(batches.after)
    clear_others(making, world)
    if optimizers is None:
        optimizers = loop.optim.build(model, loop.lr)
    skip = loop.skip.build() if loop.skip else None
    memory = {**monitors.memory, **(skip.memory if skip else {})}
    trained = Trained(model, optimizers, batches.order_digest, memory, world)
    folder = making.path / FOLDER
    held = _held(making, world)
    if held is not None:
        _go_on(making, held, trained, until)
    with contextlib.ExitStack() as stack:
        log, telling = _telling(stack, making, monitors, loop, until, held, world)
        saver = StateSaver(folder, checkpoints.keep_last, checkpoints.asynchronous, world)
        stack.callback(saver.close)
        past = GoingBack(folder, trained, batches, checkpoints.go_back, held)
        save = past.saving(saver, log)
        request = stack.enter_context(noting_sigterm())
        every = [
            *balancing(model, world),
            *monitors.every,
            *telling,
            (EACH_STEP, past.note),
            *_keeping(checkpoints.keep_every, making, write, world),
            (loop.save_every, save),
            (EACH_STEP, stop_when_asked(request, save, saver, folder, world)),
        ]
        model.train()

        def attempt(start: Position | None) -> Position:
            return train(
                model, batches, loss_fn, optimizers,
                rate=loop.rates(until, batches.after), clip=loop.clips(batches.after),
                until=until, every=every, start=start,
                world=world, inspect=monitors.inspect, skip=skip,
            )  # fmt: skip

        start, logged = held.position if held else None, (log, loop.log_every) if log else None
        return past.through(attempt, start, until, every, saver, logged)


def _held(making: Making, world: World) -> SavedState | None:
    """The state that the run goes on from; only the first process knows whether it does."""
    if world.told(b"on" if making.resumed else b"") != b"on":
        return None
    return whole_state(making.path / FOLDER, world)


def _go_on(making: Making, held: SavedState, trained: Trained, until: int) -> None:
    """Put everything as it was when ``held`` was saved."""
    folder = making.path / FOLDER
    restore(folder, held, trained)
    if trained.world.is_first:
        drop_unfinished(folder)
        say(f"{making.path.name}: going on after step {held.steps} of {until}")


def _keeping(
    rhythm: Duration | None, making: Making, write: Callable[[Path], None] | None, world: World
) -> Every:
    """The hook that keeps whole checkpoints, where that was asked for."""
    if rhythm is None or write is None:
        return []
    return [(rhythm, keeper(making, write, world))]


def _telling(
    stack: contextlib.ExitStack,
    making: Making,
    monitors: Monitors,
    loop: LoopConfig,
    until: int,
    held: SavedState | None,
    world: World,
) -> tuple[ProgressLog | None, list[tuple[Duration, Hook]]]:
    """The log and the hooks that write it and show it; only the first process has any."""
    if not world.is_first:
        return None, []
    done = held.steps if held else 0
    log = ProgressLog(making.path / "progress.jsonl", held.progress_bytes if held else 0)
    speed = SpeedLog(making.journal / "speed.jsonl", monitors.flops_per_token, monitors.peak_flops)
    peak, each = monitors.peak_flops, monitors.flops_per_token
    note_launch(making.journal, Launch(done, until, time.time(), world.size, peak, each))
    label = making.path.name.removeprefix(".").removesuffix(".making")
    meter = StepMeter(label, until, done, speed)
    for part in (log, speed, meter):
        stack.callback(part.close)
    opening = Opening(label, making.journal, done)
    trackers = [stack.enter_context(tracker(opening)) for tracker in monitors.trackers]
    return log, [
        (loop.log_every, log.record),
        (loop.log_every, speed.record),
        *((loop.log_every, tracker) for tracker in trackers),
        (EACH_STEP, meter.advance),
    ]


def finish(making: Making, end: Position, model: ModelConfig) -> None:
    """Count what was trained; call after the checkpoint."""
    making.counts |= {
        "tokens": end.tokens,
        "steps": end.steps,
        "parameters": parameters(model),
        "active_parameters": active_parameters(model),
    }
