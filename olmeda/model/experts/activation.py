"""What stands between an expert's two products, forward and backward, on rows that fit the cache.

Shapes: ``R`` rows, ``F`` hidden width, ``G`` what the first product makes (2 F with a gate).
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor
from torch.nn.functional import relu

from olmeda.model.kernels.swiglu import gated, gated_grad, swiglu


class Activation(Protocol):
    """An activation with its gradient written out."""

    name: str
    """The parameter that holds the first matrices."""
    widening: int
    """``G / F``."""

    def forward(self, h_RG: Tensor) -> Tensor:
        """``[R, F]``, a tensor of its own."""

    def backward(self, h_RG: Tensor, grad_RF: Tensor) -> Tensor:
        """The gradient of ``h_RG``; may overwrite ``grad_RF``."""


class SwiGLU:
    """``silu(gate) * up`` of ``[gate, up]``."""

    name, widening = "gate_up", 2

    def forward(self, h_RG: Tensor) -> Tensor:
        """``[R, F]``, a tensor of its own."""
        return swiglu(h_RG) if torch.is_grad_enabled() else gated(h_RG)

    def backward(self, h_RG: Tensor, grad_RF: Tensor) -> Tensor:
        """The gradient of ``h_RG``."""
        return gated_grad(h_RG, grad_RF)


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
