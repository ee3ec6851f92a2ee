"""Attention from the fused product of queries, keys and values: norms and rotation included.

Normalised and turned queries and keys are made again on the way back, for a pass over memory: a
layer keeps the fused product, what attention gives, and one number for each token and head.

Shapes: ``N`` tokens of all stretches, ``X`` queries, keys and values of a token, ``H`` heads,
``G`` key heads, ``C`` head width, ``T`` positions, ``W`` width of a norm (all heads, or one).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from olmeda.model.kernels.attention import Seen, attended, attended_grad_into
from olmeda.model.kernels.normed import normed_grad_into, normed_into, turned_into
from olmeda.model.kernels.scratch import scratch


class Shape(NamedTuple):
    """How a row of the fused product divides, and the number that norms add under the root."""

    heads: int
    key_heads: int
    head_width: int
    eps: float

    @property
    def widths(self) -> list[int]:
        """Numbers of queries, keys and values."""
        return [n * self.head_width for n in (self.heads, self.key_heads, self.key_heads)]


class _TurnedAttention(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, qkv_NX: Tensor, q_weight_W: Tensor | None, k_weight_W: Tensor | None,
        cos: Tensor, sin: Tensor, shape: Shape, seen: Seen,
    ) -> Tensor:  # fmt: skip
        weights, tables = (q_weight_W, k_weight_W), (cos, sin)
        out_NHC, sum_NH = attended(*_made(qkv_NX, weights, tables, shape), seen)
        ctx.save_for_backward(qkv_NX, *weights, *tables, out_NHC, sum_NH)
        ctx.shape, ctx.seen = shape, seen
        return out_NHC

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_NHC: Tensor) -> tuple[Tensor | None, ...]:
        qkv_NX, q_weight_W, k_weight_W, cos, sin, out_NHC, sum_NH = ctx.saved_tensors
        weights, shape = (q_weight_W, k_weight_W), ctx.shape
        kept = (*_made(qkv_NX, weights, (cos, sin), shape), out_NHC, sum_NH)
        grad_NX = torch.empty_like(qkv_NX)
        attended_grad_into(_by_head(grad_NX, shape), grad_NHC, kept, ctx.seen)
        grad_weights: list[Tensor | None] = []
        parts = (torch.split(t, shape.widths, -1)[:2] for t in (grad_NX, qkv_NX))
        for grad_ND, x_ND, weight_W in zip(*parts, weights, strict=True):
            turned_into(grad_ND, grad_ND, cos, sin, -1.0)
            found = None
            if weight_W is not None:
                found = normed_grad_into(grad_ND, grad_ND, x_ND, weight_W, shape.eps)
            grad_weights.append(found)
        return grad_NX, *grad_weights, None, None, None, None


def _made(
    qkv_NX: Tensor, weights: tuple[Tensor | None, ...], tables: tuple[Tensor, Tensor], shape: Shape
) -> tuple[Tensor, Tensor, Tensor]:
    """Queries and keys normalised and turned; values as they are."""
    queries, keys, values = shape.widths
    both = scratch(qkv_NX, len(qkv_NX) * (queries + keys))
    ends = torch.split(both, [len(qkv_NX) * queries, len(qkv_NX) * keys])
    made = []
    parts = torch.split(qkv_NX, [queries, keys, values], -1)[:2]
    for out, x_ND, weight_W in zip(ends, parts, weights, strict=True):
        out_ND = out.view(x_ND.shape)
        if weight_W is not None:
            normed_into(out_ND, x_ND, weight_W, shape.eps)
            x_ND = out_ND
        turned_into(out_ND, x_ND, *tables)
        made.append(out_ND.view(len(qkv_NX), -1, shape.head_width))
    return made[0], made[1], _by_head(qkv_NX, shape)[2]


def _by_head(qkv_NX: Tensor, shape: Shape) -> tuple[Tensor, ...]:
    parts = torch.split(qkv_NX, shape.widths, -1)
    return tuple(part.view(len(qkv_NX), -1, shape.head_width) for part in parts)


turned_attention: Callable[
    [Tensor, Tensor | None, Tensor | None, Tensor, Tensor, Shape, Seen], Tensor
]
turned_attention = _TurnedAttention.apply
"""``turned_attention(qkv_NX, q_weight_W, k_weight_W, cos, sin, shape, seen)``, ``[N, H, C]``: rows
and tables ``[T, C/2]`` each in one piece, row n at position n modulo T, C a multiple of 32; absent
weights: no norms."""
