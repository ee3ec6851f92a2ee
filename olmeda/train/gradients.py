"""The gradients of a step: summed over the processes as they come, their norm, and clipping.

Buckets are fixed by the model alone. torch's DistributedDataParallel cuts them anew after its first
backward pass, and where a sum over three processes begins depends on the cut: a run that was
interrupted could not end in the same bits.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence

import torch
import torch.distributed as dist
from torch import Tensor, nn

from olmeda.train.parallel import is_sharded, local
from olmeda.train.world import World

BUCKET_BYTES = 32 << 20
"""Gradients that are sent together: enough that starting costs little, early enough to overlap."""


@contextlib.contextmanager
def summed(model: nn.Module, world: World) -> Iterator[None]:
    """Around the last backward pass of a step: sum all gradients over the processes.

    Sharded models do that on their own.
    """
    if world.size == 1 or is_sharded(model):
        yield
        return
    params = [p for p in model.parameters() if p.requires_grad]
    sums = _Sums(params)
    handles = [
        p.register_post_accumulate_grad_hook(sums.arrived)  # type: ignore[no-untyped-call]
        for p in params
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
    sums.finish(world)


def clip(model: nn.Module, most: float, world: World) -> float:
    """Scale the gradients down to a norm of ``most`` (0: leave them); return their norm before."""
    if not is_sharded(model):
        return float(nn.utils.clip_grad_norm_(model.parameters(), most or math.inf))
    grads = [local(p.grad) for p in model.parameters() if p.grad is not None]
    squares = sum((float(g.double().square().sum()) for g in grads), 0.0)
    norm = math.sqrt(world.total(squares)[0])
    if most and norm > most:
        torch._foreach_mul_(grads, most / (norm + 1e-6))
    return norm


class _Sums:
    """Sums on their way, bucket after bucket in one order that all processes keep to."""

    def __init__(self, params: Sequence[Tensor]) -> None:
        self._params = params
        self._buckets = _bucketed(params)
        self._missing = [len(bucket) for bucket in self._buckets]
        self._place = {p: n for n, bucket in enumerate(self._buckets) for p in bucket}
        self._sent: list[tuple[Tensor, dist.Work | None]] = []

    def arrived(self, param: Tensor) -> None:
        """Note that a parameter has its gradient; send what is complete."""
        self._missing[self._place[param]] -= 1
        while len(self._sent) < len(self._buckets) and not self._missing[len(self._sent)]:
            self._send()

    def finish(self, world: World) -> None:
        """Send the rest, wait for all, and put the sums where the gradients were.

        A parameter that no process has a gradient for keeps none, as in one process.
        """
        while len(self._sent) < len(self._buckets):
            self._send()
        held = world.total(*(float(p.grad is not None) for p in self._params))
        has_one = dict(zip(self._params, held, strict=True))
        for bucket, (flat, work) in zip(self._buckets, self._sent, strict=True):
            if work is not None:
                work.wait()
            parts = torch.split(flat, [p.numel() for p in bucket])
            for param, part in zip(bucket, parts, strict=True):
                if has_one[param]:
                    param.grad = part.view_as(param)

    def _send(self) -> None:
        bucket = self._buckets[len(self._sent)]
        flat = torch.cat([(torch.zeros_like(p) if p.grad is None else p.grad).flatten()
                          for p in bucket])  # fmt: skip
        self._sent.append((flat, dist.all_reduce(flat, async_op=True)))


def _bucketed(params: Sequence[Tensor]) -> list[list[Tensor]]:
    """Parameters from the last to the first, as backward reaches them, cut by size and dtype."""
    buckets: list[list[Tensor]] = []
    room = 0
    for param in reversed(params):
        size = param.numel() * param.element_size()
        if not buckets or room < size or buckets[-1][0].dtype != param.dtype:
            buckets.append([])
            room = BUCKET_BYTES
        buckets[-1].append(param)
        room -= size
    return buckets
