"""The gated MLP: ``down(silu(gate(x)) * up(x))`` (arXiv:2002.05202).

Shapes: ``N`` tokens (any leading dimensions), ``D`` width, ``F`` hidden width.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from olmeda.model.config import ModelConfig
from olmeda.model.linear import Linear


class _SwiGLU(torch.autograd.Function):
    """``silu(gate) * up`` of a fused ``[gate, up]``; keeps only its input."""

    @staticmethod
    def forward(ctx: Any, both: Tensor) -> Tensor:
        ctx.save_for_backward(both)
        gate, up = both.chunk(2, -1)
        return torch.nn.functional.silu(gate).mul_(up)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        (both,) = ctx.saved_tensors
        gate, up = both.chunk(2, -1)
        grad_both = torch.empty_like(both)
        grad_gate, grad_up = grad_both.chunk(2, -1)
        torch.mul(grad, torch.nn.functional.silu(gate), out=grad_up)
        grad_gate.copy_(torch.ops.aten.silu_backward(grad * up, gate))
        return grad_both


swiglu: Callable[[Tensor], Tensor] = _SwiGLU.apply
"""``silu(gate) * up`` of ``[..., 2F]``, whose first half is the gate."""


class MLP(nn.Module):
    """Gate and up from one fused product; stored apart in checkpoints."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.gate_up = Linear(config.width, 2 * config.mlp_width)
        self.down = Linear(config.mlp_width, config.width)

    def forward(self, x_ND: Tensor) -> Tensor:
        """Map each token by itself."""
        mapped: Tensor = self.down(swiglu(self.gate_up(x_ND)))
        return mapped
