"""Root-mean-square normalisation (arXiv:1910.07467) with a backward pass written out.

Shapes: ``N`` rows (any leading dimensions), ``D`` the normalised width.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from olmeda.model.kernels.eligible import vectorises


class _RMSNorm(torch.autograd.Function):
    """Keeps the input and one number a row, where autograd would keep three copies of the input.

    Backward is LayerNorm's kernel told that the mean is 0, plus the term that LayerNorm subtracts
    because its mean depends on the input.
    """

    @staticmethod
    def forward(ctx: Any, x_ND: Tensor, weight_D: Tensor, eps: float) -> Tensor:
        length_N1 = torch.linalg.vector_norm(x_ND, dim=-1, keepdim=True)
        scale_N1 = length_N1.square_().div_(x_ND.shape[-1]).add_(eps).rsqrt_()
        ctx.save_for_backward(x_ND, weight_D, scale_N1)
        y_ND: Tensor = (x_ND * scale_N1).mul_(weight_D)
        return y_ND

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_ND: Tensor) -> tuple[Tensor, Tensor, None]:
        x_ND, weight_D, scale_N1 = ctx.saved_tensors
        width = x_ND.shape[-1]
        no_mean = torch.zeros_like(scale_N1)
        grad_x_ND, grad_weight_D, _ = torch.ops.aten.native_layer_norm_backward(
            grad_ND, x_ND, [width], no_mean, scale_N1, weight_D, None, [True, True, False]
        )
        mean_N1 = (grad_ND @ weight_D).unsqueeze_(-1)
        return grad_x_ND.addcmul_(scale_N1, mean_N1, value=1 / width), grad_weight_D, None


class _VectorNorm(torch.autograd.Function):
    """One pass over memory each way by our kernel; keeps the input alone."""

    @staticmethod
    def forward(
        ctx: Any, x_ND: Tensor, weight_D: Tensor, beside_ND: Tensor | None, eps: float
    ) -> Tensor:
        from olmeda.model.kernels.normed import normed_into

        ctx.save_for_backward(x_ND, weight_D)
        ctx.eps, ctx.added = eps, beside_ND is not None
        out_ND = torch.empty(x_ND.shape, dtype=x_ND.dtype)
        beside = None if beside_ND is None else beside_ND.flatten(0, -2)
        normed_into(out_ND.flatten(0, -2), x_ND.flatten(0, -2), weight_D, eps, beside)
        return out_ND

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_ND: Tensor) -> tuple[Tensor, Tensor, Tensor | None, None]:
        from olmeda.model.kernels.normed import normed_grad_into

        x_ND, weight_D = ctx.saved_tensors
        grad_x_ND = torch.empty(x_ND.shape, dtype=x_ND.dtype)
        out, grad, x = (t.flatten(0, -2) for t in (grad_x_ND, grad_ND.contiguous(), x_ND))
        grad_weight_D = normed_grad_into(out, grad, x, weight_D, ctx.eps)
        return grad_x_ND, grad_weight_D, grad_ND if ctx.added else None, None


def _are_rows(x_ND: Tensor) -> bool:
    """Whether rows are equally far apart: then all leading dimensions are one without a copy."""
    outer = zip(x_ND.stride()[:-2], x_ND.stride()[1:-1], x_ND.shape[1:-1], strict=True)
    return x_ND.stride(-1) == 1 and all(far == near * count for far, near, count in outer)


_vector_norm: Callable[[Tensor, Tensor, Tensor | None, float], Tensor] = _VectorNorm.apply
_rms_norm: Callable[[Tensor, Tensor, float], Tensor] = _RMSNorm.apply


def rms_norm(x_ND: Tensor, weight_D: Tensor, eps: float, beside_ND: Tensor | None = None) -> Tensor:
    """``x / sqrt(mean(x^2) + eps) * weight``, added to ``beside_ND`` where that is given."""
    others = () if beside_ND is None else (beside_ND,)
    placed = all(t.dim() > 1 and _are_rows(t) for t in (x_ND, *others))
    if placed and vectorises(len(weight_D), x_ND, weight_D, *others):
        return _vector_norm(x_ND, weight_D, beside_ND, eps)
    normed_ND = _rms_norm(x_ND, weight_D, eps)
    return normed_ND if beside_ND is None else beside_ND + normed_ND
