"""The gated MLP: ``down(silu(gate(x)) * up(x))`` (arXiv:2002.05202).

Shapes: ``N`` tokens (any leading dimensions), ``D`` width.
"""

from __future__ import annotations

from torch import Tensor, nn

from olmeda.model.config import ModelConfig
from olmeda.model.kernels.swiglu import swiglu as swiglu
from olmeda.model.linear import Linear


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
