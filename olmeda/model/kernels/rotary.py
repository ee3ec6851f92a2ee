"""Heads turned by their positions (arXiv:2104.09864), each half of a head against the other.

Shapes: ``B`` sequences, ``T`` positions, ``H`` heads, ``C`` width of a head.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


def _turn(x_BTHC: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    turned_BTHC = torch.empty(x_BTHC.shape, dtype=x_BTHC.dtype, device=x_BTHC.device)
    first, second = x_BTHC.chunk(2, -1)
    to_first, to_second = turned_BTHC.chunk(2, -1)
    torch.mul(first, cos, out=to_first).addcmul_(second, sin, value=-1)
    torch.mul(second, cos, out=to_second).addcmul_(first, sin)
    return turned_BTHC


class _Rotate(torch.autograd.Function):
    """A rotation's gradient is the rotation back: nothing but the table is kept."""

    @staticmethod
    def forward(ctx: Any, x_BTHC: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        ctx.save_for_backward(cos, sin)
        return _turn(x_BTHC, cos, sin)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_BTHC: Tensor) -> tuple[Tensor, None, None]:
        cos, sin = ctx.saved_tensors
        return _turn(grad_BTHC, cos, -sin), None, None


_rotate: Callable[[Tensor, Tensor, Tensor], Tensor] = _Rotate.apply


def rotate(x_BTHC: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Every head turned by its position; cos, sin ``[(B,) T, 1, C/2]``."""
    return (_rotate if torch.is_grad_enabled() else _turn)(x_BTHC, cos, sin)
