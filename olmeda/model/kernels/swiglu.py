"""The gated activation with a backward pass written out, in slices that stay in the cache.

Shapes: ``N`` tokens (any leading dimensions), ``R`` tokens of a slice, ``F`` hidden width,
``G`` = 2 F.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import silu

from olmeda.model.kernels.eligible import vectorises
from olmeda.model.kernels.scratch import scratch

ROWS = 512
"""Tokens treated at once: what one elementwise step leaves is still in the cache for the next."""


def _rows(x: Tensor) -> tuple[Tensor, ...]:
    return torch.split(x, ROWS)


def gated(both_NG: Tensor) -> Tensor:
    """``silu(gate) * up`` of rows ``[gate, up]``, without a gradient of its own."""
    out_NF = scratch(both_NG, len(both_NG), both_NG.shape[1] // 2)
    if vectorises(out_NF.shape[1], both_NG):
        from olmeda.model.kernels.gate import gate_into

        gate_into(out_NF, both_NG.contiguous())
        return out_NF
    for both_RG, out_RF in zip(_rows(both_NG), _rows(out_NF), strict=True):
        gate_RF, up_RF = both_RG.chunk(2, -1)
        torch.mul(silu(gate_RF), up_RF, out=out_RF)
    return out_NF


def gated_grad(both_NG: Tensor, grad_NF: Tensor) -> Tensor:
    """The gradient of ``both_NG``, given that of ``gated(both_NG)``."""
    grad_both_NG = scratch(both_NG, *both_NG.shape)
    if vectorises(grad_NF.shape[1], grad_NF, both_NG):
        from olmeda.model.kernels.gate import gate_grad_into

        gate_grad_into(grad_both_NG, both_NG.contiguous(), grad_NF.contiguous())
        return grad_both_NG
    parts = zip(_rows(both_NG), _rows(grad_NF), _rows(grad_both_NG), strict=True)
    for both_RG, grad_RF, grad_both_RG in parts:
        gate_RF, up_RF = both_RG.chunk(2, -1)
        grad_gate_RF, grad_up_RF = grad_both_RG.chunk(2, -1)
        slope_RF = torch.sigmoid(gate_RF)
        silu_RF = gate_RF * slope_RF
        torch.mul(grad_RF, silu_RF, out=grad_up_RF)
        # d silu(a) / da = s + silu(a) (1 - s), where s = sigmoid(a)
        slope_RF.addcmul_(silu_RF, slope_RF, value=-1).add_(silu_RF)
        torch.mul(slope_RF.mul_(up_RF), grad_RF, out=grad_gate_RF)
    return grad_both_NG


class _SwiGLU(torch.autograd.Function):
    """``silu(gate) * up`` of a fused ``[gate, up]``; keeps only its input."""

    @staticmethod
    def forward(ctx: Any, both_NG: Tensor) -> Tensor:
        ctx.save_for_backward(both_NG)
        return gated(both_NG)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_NF: Tensor) -> Tensor:
        (both_NG,) = ctx.saved_tensors
        return gated_grad(both_NG, grad_NF)


_swiglu: Callable[[Tensor], Tensor] = _SwiGLU.apply


def swiglu(both: Tensor) -> Tensor:
    """``silu(gate) * up`` of ``[..., 2F]``, whose first half is the gate."""
    out_NF = _swiglu(both.flatten(0, -2))
    return out_NF.view(*both.shape[:-1], out_NF.shape[-1])


class _GatedProduct(torch.autograd.Function):
    """The gate and the product after it; the gate's output is made again on the way back."""

    @staticmethod
    def forward(ctx: Any, both_NG: Tensor, down_DF: Tensor) -> Tensor:
        ctx.save_for_backward(both_NG, down_DF)
        return gated(both_NG) @ down_DF.T

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_ND: Tensor) -> tuple[Tensor, Tensor]:
        both_NG, down_DF = ctx.saved_tensors
        grad_NF = scratch(grad_ND, len(grad_ND), down_DF.shape[1])
        grad_both_NG = gated_grad(both_NG, torch.mm(grad_ND, down_DF, out=grad_NF))
        del grad_NF
        return grad_both_NG, grad_ND.T @ gated(both_NG)


_gated_product: Callable[[Tensor, Tensor], Tensor] = _GatedProduct.apply


def gated_product(both: Tensor, down_DF: Tensor) -> Tensor:
    """``swiglu(both) @ down.T`` keeping two thirds of what that keeps, where kernels run."""
    if not vectorises(down_DF.shape[1], both, down_DF):
        return torch.nn.functional.linear(swiglu(both), down_DF)
    return _gated_product(both.flatten(0, -2), down_DF).view(*both.shape[:-1], -1)
