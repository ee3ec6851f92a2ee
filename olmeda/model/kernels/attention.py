"""Causal attention on the CPU by kernels of our own, with its gradient.

torch's attention runs at 32 GFLOP/s there with heads 32 wide; this at 75 (docs/model/speed.md).

Shapes: ``N`` tokens of all stretches, ``H`` heads, ``G`` key heads, ``C`` head width.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from olmeda.model.kernels.attention_backward import backward, backward_scratch
from olmeda.model.kernels.attention_forward import forward, forward_scratch
from olmeda.model.kernels.blocks import Operand
from olmeda.model.kernels.threads import in_parts
from olmeda.model.kernels.vectors import LOG2E


class _Attention(torch.autograd.Function):
    """Keeps its input and output, and one number for each token and head."""

    @staticmethod
    def forward(
        ctx: Any, q_NHC: Tensor, k_NGC: Tensor, v_NGC: Tensor, lengths: tuple[int, ...],
        window: int, softcap: float,
    ) -> Tensor:  # fmt: skip
        q_NHC, k_NGC, v_NGC = (_even(t) for t in (q_NHC, k_NGC, v_NGC))
        ctx.seen = Seen(lengths, window, softcap)
        out_NHC, sum_NH = attended(q_NHC, k_NGC, v_NGC, ctx.seen)
        ctx.save_for_backward(q_NHC, k_NGC, v_NGC, out_NHC, sum_NH)
        return out_NHC

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_NHC: Tensor) -> tuple[Tensor | None, ...]:
        kept = ctx.saved_tensors
        found = tuple(torch.empty(t.shape, dtype=t.dtype) for t in kept[:3])
        attended_grad_into(found, grad_NHC, kept, ctx.seen)
        return (*found, None, None, None)


class Seen(NamedTuple):
    """Who sees whom: stretches one after the other that see only themselves."""

    lengths: tuple[int, ...]
    window: int
    softcap: float


def attended(q_NHC: Tensor, k_NGC: Tensor, v_NGC: Tensor, seen: Seen) -> tuple[Tensor, Tensor]:
    """``(out_NHC, sum_NH)``, the second for the way back; numbers of a head lie side by side."""
    out_NHC = torch.empty(q_NHC.shape, dtype=q_NHC.dtype)
    sum_NH = q_NHC.new_empty(q_NHC.shape[:2])
    stretches, heads = _stretches(seen.lengths), _heads(q_NHC, k_NGC)
    q, k, v, out = (_operand(t) for t in (q_NHC, k_NGC, v_NGC, out_NHC))
    size = int(forward_scratch(max(seen.lengths), heads[2]))

    def work(first: int, end: int) -> None:
        scratch = q_NHC.new_empty(size)
        forward(
            q, k, v, out, sum_NH.data_ptr(), stretches, (first, end), heads, seen.window,
            seen.softcap * LOG2E, scratch.data_ptr(),
        )  # fmt: skip

    in_parts(work, _costs(stretches, heads, seen.window, 4))
    return out_NHC, sum_NH


def attended_grad_into(
    found: tuple[Tensor, ...], grad_NHC: Tensor, kept: tuple[Tensor, ...], seen: Seen
) -> None:
    """Write the gradients of ``q, k, v`` to ``found``; kept: ``q, k, v`` and what came of them."""
    q_NHC, k_NGC, v_NGC, out_NHC, sum_NH = kept
    stretches, heads = _stretches(seen.lengths), _heads(q_NHC, k_NGC)
    q, k, v, out = (_operand(t) for t in (q_NHC, k_NGC, v_NGC, out_NHC))
    grad_NHC = _even(grad_NHC)
    grad, grad_q, grad_k, grad_v = (_operand(t) for t in (grad_NHC, *found))
    size = int(backward_scratch(max(seen.lengths), heads[2]))

    def work(first: int, end: int) -> None:
        scratch = q_NHC.new_empty(size)
        backward(
            q, k, v, out, sum_NH.data_ptr(), grad, grad_q, grad_k, grad_v, stretches,
            (first, end), heads, seen.window, seen.softcap * LOG2E, scratch.data_ptr(),
        )  # fmt: skip

    in_parts(work, _costs(stretches, heads, seen.window, 10))


def _even(t_NHC: Tensor) -> Tensor:
    """The tensor, copied if the numbers of a head do not lie side by side."""
    return t_NHC if t_NHC.stride(2) == 1 else t_NHC.contiguous()


def _operand(t_NHC: Tensor) -> Operand:
    return t_NHC.data_ptr(), t_NHC.stride(0) * 4, t_NHC.stride(1) * 4


def _heads(q_NHC: Tensor, k_NGC: Tensor) -> tuple[int, int, int]:
    return q_NHC.shape[1], k_NGC.shape[1], q_NHC.shape[2]


def _stretches(lengths: tuple[int, ...]) -> np.ndarray:
    counts = np.array(lengths, dtype=np.int64)
    return np.stack([np.cumsum(counts) - counts, counts], 1)


def _costs(
    stretches: np.ndarray, heads: tuple[int, int, int], window: int, each: int
) -> np.ndarray:
    """Operations of each item: ``each`` for a pair of tokens and a number of a head."""
    tokens = stretches[:, 1].astype(np.float64)
    pairs = tokens * np.minimum(tokens / 2, window or np.inf)
    return np.repeat(pairs * each * heads[0] // heads[1] * heads[2], heads[1])


attention: Callable[[Tensor, Tensor, Tensor, tuple[int, ...], int, float], Tensor]
attention = _Attention.apply
"""``attention(q_NHC, k_NGC, v_NGC, lengths, window, softcap)``: stretches of ``lengths`` tokens one
after the other, each seeing itself only; float32 on the CPU, C a multiple of 16."""
