"""What stands between an expert's two products, forward and backward, on rows that fit the cache.

Shapes: ``R`` rows, ``F`` hidden width, ``G`` what the first product makes (2 F with a gate).
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor
from torch.nn.functional import relu, silu


class Activation(Protocol):
    """An activation with its gradient written out."""

    name: str
    """The parameter that holds the first matrices."""
    widening: int
    """``G / F``."""

    def forward(self, h_RG: Tensor) -> Tensor:
        """``[R, F]``, a tensor of its own."""

    def backward(self, h_RG: Tensor, grad_RF: Tensor) -> Tensor:
        """The gradient of ``h_RG``; overwrites ``grad_RF``."""


class SwiGLU:
    """``silu(gate) * up`` of ``[gate, up]``."""

    name, widening = "gate_up", 2

    def forward(self, h_RG: Tensor) -> Tensor:
        """``[R, F]``, a tensor of its own."""
        gate_RF, up_RF = h_RG.chunk(2, 1)
        return silu(gate_RF).mul_(up_RF)

    def backward(self, h_RG: Tensor, grad_RF: Tensor) -> Tensor:
        """The gradient of ``h_RG``; overwrites ``grad_RF``."""
        gate_RF, up_RF = h_RG.chunk(2, 1)
        grad_RG = torch.empty_like(h_RG)
        grad_gate_RF, grad_up_RF = grad_RG.chunk(2, 1)
        slope_RF = torch.sigmoid(gate_RF)
        silu_RF = gate_RF * slope_RF
        torch.mul(grad_RF, silu_RF, out=grad_up_RF)
        # d silu(a) / da = s + silu(a) (1 - s), where s = sigmoid(a)
        slope_RF.addcmul_(silu_RF, slope_RF, value=-1).add_(silu_RF)
        torch.mul(slope_RF, grad_RF.mul_(up_RF), out=grad_gate_RF)
        return grad_RG


class SquaredRelu:
    """``relu(up) ** 2`` (arXiv:2109.08668)."""

    name, widening = "up", 1

    def forward(self, h_RG: Tensor) -> Tensor:
        """``[R, F]``, a tensor of its own."""
        return relu(h_RG).square()

    def backward(self, h_RG: Tensor, grad_RF: Tensor) -> Tensor:
        """The gradient of ``h_RG``; overwrites ``grad_RF``."""
        return grad_RF.mul_(relu(h_RG)).mul_(2)


ACTIVATIONS: dict[str, Activation] = {"swiglu": SwiGLU(), "relu2": SquaredRelu()}
"""By the name in ``ModelConfig.activation``."""
