"""The processes that train one model together; alone, one process is a world of its own.

torchrun starts them and says who is who in the environment; ``joined`` brings them together.
"""

from __future__ import annotations

import contextlib
import datetime
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import cast

import torch
import torch.distributed as dist

from olmeda.artifacts.crew import started_processes
from olmeda.artifacts.lineage import Making
from olmeda.base.errors import ConfigError, ResourceError
from olmeda.train.meeting import meeting

_LOST = ("gloo", "Connection", "connection", "NCCL", "Broken pipe", "Timed out", "Socket", "socket")


@dataclass(frozen=True)
class World:
    """This process among ``size``; ``rank`` 0 logs and writes what is written once."""

    rank: int = 0
    size: int = 1
    device: str = "cpu"
    saving: dist.ProcessGroup | None = field(default=None, compare=False)
    """A second line of talk, for what is saved in the background while training goes on."""
    gathers_once: bool = False
    """Whether a sharded model stays whole, with its gradient, over the micro-batches of a step."""

    @property
    def is_first(self) -> bool:
        """Whether this process logs and writes."""
        return self.rank == 0

    def total(self, *values: float) -> list[float]:
        """Each value summed over all processes, in float64."""
        return self._reduced(values, dist.ReduceOp.SUM)

    def most(self, *values: float) -> list[float]:
        """The largest of each value over all processes."""
        return self._reduced(values, dist.ReduceOp.MAX)

    def told(self, message: bytes) -> bytes:
        """What the first process passes here; every process calls it at the same place."""
        if self.size == 1:
            return message
        length = torch.tensor([len(message)])
        dist.broadcast(length, src=0)
        said = torch.zeros(int(length), dtype=torch.uint8)
        if not len(said):  # the same in all of them
            return b""
        if self.is_first:
            said.copy_(torch.frombuffer(bytearray(message), dtype=torch.uint8))
        dist.broadcast(said, src=0)
        return said.numpy().tobytes()

    def _reduced(self, values: tuple[float, ...], how: dist.ReduceOp.RedOpType) -> list[float]:
        if self.size == 1:
            return list(values)
        reduced = torch.tensor(values, dtype=torch.float64)  # on the CPU: no waiting for a device
        dist.all_reduce(reduced, how)
        return [float(v) for v in reduced]


ALONE = World()


def world_of(making: Making) -> World:
    """The processes that make an artifact, as training sees them."""
    return making.crew if isinstance(making.crew, World) else ALONE


@contextlib.contextmanager
def joined(
    timeout_seconds: float, device: str = "cpu", *, gathers_once: bool = False
) -> Iterator[World]:
    """The world that torchrun started, inside; one process otherwise.

    ``device``: ``cpu``, or ``cuda`` of which each process of a machine takes one; ``gathers_once``:
    as in ``World``. Raises ResourceError where a process is lost: it ended, or said nothing for
    ``timeout_seconds``.
    """
    if started_processes() == 1:
        yield World(device=device)
        return
    if not dist.is_available():
        raise ConfigError("this build of torch has no torch.distributed; start one process")
    wait = datetime.timedelta(seconds=timeout_seconds)
    if device == "cuda":
        device = f"cuda:{os.environ.get('LOCAL_RANK', '0')}"
        torch.cuda.set_device(device)
    store, rank, size = meeting(timeout_seconds)
    try:
        dist.init_process_group(
            "cpu:gloo,cuda:nccl" if device != "cpu" else "gloo",
            store=store,
            rank=rank,
            world_size=size,
            timeout=wait,
        )
        saving = dist.new_group(backend="gloo", timeout=wait)
    except (RuntimeError, ValueError) as problem:
        raise ResourceError(f"the processes could not come together: {_line(problem)}") from None
    world = World(rank, size, device, cast(dist.ProcessGroup, saving), gathers_once)
    try:
        yield world
    except RuntimeError as problem:
        if not is_lost_process(problem):
            raise
        raise ResourceError(
            f"process {world.rank} of {world.size} lost another one ({_line(problem)}); what was "
            "saved stays: run the same command again to go on"
        ) from None
    finally:
        dist.destroy_process_group()


def is_lost_process(problem: RuntimeError) -> bool:
    """Whether an error tells of a process that ended or does not answer, not of our own work."""
    if isinstance(problem, dist.DistError):
        return True
    return any(word in str(problem) for word in _LOST)


def _line(problem: Exception) -> str:
    return str(problem).strip().partition("\n")[0]
