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

from olmeda.train.parallel import is_sharded, local, share_gradients, spread_meshes
from olmeda.train.world import World

BUCKET_BYTES = 32 << 20
"""Gradients that are sent together: enough that starting costs little, early enough to overlap."""


@contextlib.contextmanager
def summed(model: nn.Module, world: World, last: bool) -> Iterator[None]:
    """Around a backward pass: with the last one of a step, sum all gradients over the processes.

    Sharded parameters do that on their own, after each pass unless the world gathers once; those
    of spread experts are summed over the processes that hold the same experts.
    """
    if world.gathers_once and is_sharded(model):
        share_gradients(model, last)
    if world.size == 1 or not last:
        yield
        return
    sums = _sums_of(model)
    handles = [
        param.register_post_accumulate_grad_hook(one.arrived)  # type: ignore[no-untyped-call]
        for one in sums
        for param in one.params
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
    for one in sums:
        one.finish()


def clip(model: nn.Module, most: float, world: World) -> float:
    """Scale the gradients down to a norm of ``most`` (0: leave them); return their norm before."""
    meshes = spread_meshes(model)
    if not is_sharded(model) and not meshes:
        return float(nn.utils.clip_grad_norm_(model.parameters(), most or math.inf))
    grads, squares = [], 0.0
    for name, param in model.named_parameters():
        if param.grad is not None:
            grads.append(local(param.grad))
            copies = meshes[name].shape[0] if name in meshes else 1
            copies = copies if name in meshes or is_sharded(model) else world.size
            squares += float(grads[-1].double().square().sum()) / copies
    norm = math.sqrt(world.total(squares)[0])
    if most and norm > most:
        torch._foreach_mul_(grads, most / (norm + 1e-6))
    return norm


def _sums_of(model: nn.Module) -> list[_Sums]:
    """What has to be summed, and over whom."""
    meshes = spread_meshes(model)
    held = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
    own = [p for n, p in held if n in meshes]
    sums = []
    if not is_sharded(model):
        sums.append(_Sums([p for n, p in held if n not in meshes], None))
    if own and next(iter(meshes.values())).shape[0] > 1:
        sums.append(_Sums(own, next(iter(meshes.values())).get_group("replicas")))
    return sums


class _Sums:
    """Sums on their way, bucket after bucket in one order that all processes keep to."""

    def __init__(self, params: Sequence[Tensor], group: dist.ProcessGroup | None) -> None:
        self.params, self._group = params, group
        self._buckets = _bucketed(params)
        self._missing = [len(bucket) for bucket in self._buckets]
        self._place = {p: n for n, bucket in enumerate(self._buckets) for p in bucket}
        self._sent: list[tuple[Tensor, dist.Work | None]] = []

    def arrived(self, param: Tensor) -> None:
        """Note that a parameter has its gradient; send what is complete."""
        self._missing[self._place[param]] -= 1
        while len(self._sent) < len(self._buckets) and not self._missing[len(self._sent)]:
            self._send()

    def finish(self) -> None:
        """Send the rest, wait for all, and put the sums where the gradients were.

        A parameter that no process has a gradient for keeps none, as in one process.
        """
        while len(self._sent) < len(self._buckets):
            self._send()
        held = torch.tensor([float(p.grad is not None) for p in self.params])
        dist.all_reduce(held, group=self._group)
        has_one = dict(zip(self.params, held.tolist(), strict=True))
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
        self._sent.append((flat, dist.all_reduce(flat, group=self._group, async_op=True)))


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
