"""The batches of pretraining: which instances of a loader make each step, and in which shape.

Everything is a pure function of the step's number, with batch sizes and lengths of rows that change
on the way, so that going on, and asking what a step saw, replay nothing.

Shapes: ``B`` instances or rows, ``T`` tokens of each.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch

from olmeda.base.errors import ConfigError
from olmeda.model.loss import IGNORED
from olmeda.model.segments import Segments
from olmeda.tokens.instances import Instances, Loader, Sizes
from olmeda.train.duration import Duration, Position
from olmeda.train.rows import Rows
from olmeda.train.settings import Change
from olmeda.train.world import ALONE, World


@dataclass(frozen=True)
class Draw:
    """What one step reads: the instances at places ``first .. first + count - 1`` of the order.

    The model sees them as rows of ``sequence`` tokens, a part of an instance or all of it.
    """

    first: int
    count: int
    sequence: int


@dataclass(frozen=True)
class Stage:
    """From ``step`` on, which begins at ``place``: so many instances a step, in such rows."""

    step: int
    place: int
    count: int
    sequence: int

    def place_of(self, step: int) -> int:
        """The place of the first instance of a step of this stage."""
        return self.place + (step - self.step) * self.count


@dataclass(frozen=True)
class InstanceBatches:
    """Steps over the instances of a loader, this process's part of each as micro-batches."""

    loader: Loader
    stages: tuple[Stage, ...]
    micro_tokens: int
    world: World = ALONE

    @property
    def order_digest(self) -> str:
        """The loader's."""
        return self.loader.order_digest

    def stage_at(self, step: int) -> Stage:
        """The stage that a step belongs to."""
        return self.stages[bisect.bisect_right(self.stages, step, key=lambda s: s.step) - 1]

    def draws(self, step: int) -> Draw:
        """What a step reads, over all processes."""
        stage = self.stage_at(step)
        return Draw(stage.place_of(step), stage.count, stage.sequence)

    def after(self, steps: int) -> Position:
        """Where training is after so many steps; its tokens count the room of the rows."""
        place = self.stage_at(steps).place_of(steps)
        tokens = place * self.loader.sequence
        return Position(steps, tokens, place / self.loader.instances)

    def at(self, step: int) -> list[Rows]:
        """This process's part of a step; every process gets as many micro-batches as the others."""
        draw = self.draws(step)
        cut = self.loader.sequence // draw.sequence
        part = draw.count * cut // self.world.size
        begin = part * self.world.rank
        first, upto = begin // cut, -(-(begin + part) // cut)
        read = self.loader.read(draw.first + first, upto - first)
        begin -= first * cut
        rows = max(self.micro_tokens // draw.sequence, 1)
        bounds = [(i, min(i + rows, begin + part)) for i in range(begin, begin + part, rows)]
        return list(_micro_batches(read, draw.sequence, bounds, self.world.device))


def stages_of(
    loader: Sizes,
    batch_tokens: int,
    batch_changes: Sequence[Change] = (),
    sequence_changes: Sequence[Change] = (),
    world: World = ALONE,
) -> tuple[Stage, ...]:
    """Turn sizes in tokens, changing after some steps, tokens or epochs, into stages.

    Raises ConfigError for a change that comes before the one above it, rows that do not divide an
    instance, a batch without a row, and a batch that the processes cannot share equally.
    """
    stages = [Stage(0, 0, _instances(batch_tokens, loader, "batch_tokens"), loader.sequence)]
    left = {"batch_schedule": list(batch_changes), "sequence_schedule": list(sequence_changes)}
    while any(left.values()):
        last = stages[-1]
        due = {name: _due(last, c[0].after, loader) for name, c in left.items() if c}
        name = min(due, key=lambda n: due[n])
        change = left[name].pop(0)
        if due[name] < last.step:
            raise ConfigError(
                f"loop.{name}: the change after {change.after.amount:g} {change.after.unit} comes "
                "before the one above it; list changes in the order in which they come"
            )
        if name == "sequence_schedule":
            size = {"sequence": _dividing(change.tokens, loader.sequence)}
        else:
            size = {"count": _instances(change.tokens, loader, name)}
        changed = replace(last, step=due[name], place=last.place_of(due[name]), **size)
        stages[len(stages) - (changed.step == last.step) :] = [changed]
    for stage in stages:
        _require_share(stage, loader.sequence, world)
    return tuple(stages)


def place_of(stages: Sequence[Stage], step: int) -> int:
    """The place of the first instance of a step."""
    return stages[bisect.bisect_right(stages, step, key=lambda s: s.step) - 1].place_of(step)


def _due(stage: Stage, after: Duration, loader: Sizes) -> int:
    """The first step at whose beginning ``after`` is reached, counting as ``stage`` does."""
    if after.unit == "steps":
        return math.ceil(after.amount)
    unit = loader.sequence if after.unit == "tokens" else 1 / loader.instances
    return stage.step + math.ceil((after.amount / unit - stage.place) / stage.count)


def _instances(batch_tokens: int, loader: Sizes, key: str) -> int:
    """How many instances a batch of so many tokens has."""
    if batch_tokens < loader.sequence:
        raise ConfigError(
            f"loop.{key}: a batch of {batch_tokens} tokens has no row of {loader.sequence}; raise "
            "it, or shorten loop.sequence"
        )
    return batch_tokens // loader.sequence


def _dividing(sequence: int, whole: int) -> int:
    if sequence > whole or whole % sequence:
        raise ConfigError(
            f"loop.sequence_schedule: rows of {sequence} tokens do not divide loop.sequence "
            f"{whole}; take a divisor of it"
        )
    return sequence


def _require_share(stage: Stage, sequence: int, world: World) -> None:
    rows = stage.count * (sequence // stage.sequence)
    if rows % world.size:
        raise ConfigError(
            f"a batch of {rows} rows cannot be shared equally by {world.size} processes; say "
            f"loop.batch_tokens={-(-rows // world.size) * world.size * stage.sequence}"
        )


def _micro_batches(
    read: Instances, sequence: int, bounds: Sequence[tuple[int, int]], device: str
) -> Iterator[Rows]:
    """Rows ``from .. upto`` of what was read, for each of ``bounds``."""
    ids_BT = torch.from_numpy(read.ids_BT).reshape(-1, sequence)
    labels_BT = torch.from_numpy(read.labels_BT).reshape(-1, sequence)
    by_row = None if read.lengths is None else _stretches_by_row(read.lengths, sequence)
    for start, upto in bounds:
        labels = labels_BT[start:upto]
        segments = None
        if by_row is not None:
            segments = Segments(tuple(n for row in by_row[start:upto] for n in row))
        units = int((labels != IGNORED).sum())
        yield Rows(ids_BT[start:upto].to(device), labels.to(device), units, units, segments)


def _stretches_by_row(lengths: Sequence[int], sequence: int) -> list[list[int]]:
    """The stretches of each row, cut where rows end."""
    rows: list[list[int]] = [[]]
    free = sequence
    for length in lengths:
        while length:
            if not free:
                rows.append([])
                free = sequence
            taken = min(length, free)
            rows[-1].append(taken)
            length, free = length - taken, free - taken
    return rows
