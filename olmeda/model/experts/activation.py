"""What stands between an expert's two products, forward and backward, on rows that fit the cache.

Shapes: ``R`` rows, ``F`` hidden width, ``G`` what the first product makes (2 F with a gate).
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor
from torch.nn.functional import relu

from olmeda.model.kernels.eligible import vectorises
from olmeda.model.kernels.swiglu import gated, gated_grad, swiglu


class Activation(Protocol):
    """An activation with its gradient written out."""

    name: str
    """The parameter that holds the first matrices."""
    widening: int
    """``G / F``."""

    def forward(self, h_RG: Tensor) -> Tensor:
        """``[R, F]``, a tensor of its own."""

    def weighed(self, h_RG: Tensor, weight_R: Tensor) -> Tensor:
        """``forward`` times the weight of each row; without a gradient of its own."""

    def backward(
        self, h_RG: Tensor, grad_RF: Tensor, weight_R: Tensor, grad_weight_R: Tensor
    ) -> tuple[Tensor, Tensor]:
        """``weighed`` again, and the gradient of ``h_RG`` given that of ``weighed``.

        Writes the weights' gradients to ``grad_weight_R``; may overwrite ``grad_RF``.
        """


class SwiGLU:
    """``silu(gate) * up`` of ``[gate, up]``."""

    name, widening = "gate_up", 2

    def forward(self, h_RG: Tensor) -> Tensor:
        """``[R, F]``, a tensor of its own."""
        return swiglu(h_RG) if torch.is_grad_enabled() else gated(h_RG)

    def weighed(self, h_RG: Tensor, weight_R: Tensor) -> Tensor:
        """``forward`` times the weight of each row."""
        if not vectorises(h_RG.shape[1] // 2, h_RG, weight_R):
            return gated(h_RG).mul_(weight_R[:, None])
        from olmeda.model.kernels.gate import visits_into

        a_RF = h_RG.new_empty(len(h_RG), h_RG.shape[1] // 2)
        visits_into(a_RF, h_RG, weight_R)
        return a_RF

    def backward(
        self, h_RG: Tensor, grad_RF: Tensor, weight_R: Tensor, grad_weight_R: Tensor
    ) -> tuple[Tensor, Tensor]:
        """As ``Activation.backward``; leaves ``grad_RF`` where a kernel runs."""
        if not vectorises(grad_RF.shape[1], h_RG, grad_RF, weight_R):
            a_RF = gated(h_RG)
            torch.linalg.vecdot(a_RF, grad_RF, out=grad_weight_R)
            grad_RG = gated_grad(h_RG, grad_RF.mul_(weight_R[:, None]))
            return a_RF.mul_(weight_R[:, None]), grad_RG
        from olmeda.model.kernels.gate import visits_grad_into

        a_RF, grad_RG = torch.empty_like(grad_RF), torch.empty_like(h_RG)
        visits_grad_into(a_RF, grad_RG, h_RG, grad_RF, weight_R, grad_weight_R)
        return a_RF, grad_RG


class SquaredRelu:
    """``relu(up) ** 2`` (arXiv:2109.08668)."""

    name, widening = "up", 1

    def forward(self, h_RG: Tensor) -> Tensor:
        """``[R, F]``, a tensor of its own."""
        return relu(h_RG).square()

    def weighed(self, h_RG: Tensor, weight_R: Tensor) -> Tensor:
        """``forward`` times the weight of each row."""
        return self.forward(h_RG).mul_(weight_R[:, None])

    def backward(
        self, h_RG: Tensor, grad_RF: Tensor, weight_R: Tensor, grad_weight_R: Tensor
    ) -> tuple[Tensor, Tensor]:
        """As ``Activation.backward``; overwrites ``grad_RF``."""
        a_RF = self.forward(h_RG)
        torch.linalg.vecdot(a_RF, grad_RF, out=grad_weight_R)
        grad_RG = grad_RF.mul_(weight_R[:, None]).mul_(relu(h_RG)).mul_(2)
        return a_RF.mul_(weight_R[:, None]), grad_RG


ACTIVATIONS: dict[str, Activation] = {"swiglu": SwiGLU(), "relu2": SquaredRelu()}
"""By the name in ``ModelConfig.activation``."""
