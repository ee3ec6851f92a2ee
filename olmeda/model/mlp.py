"""The MLP: ``down(silu(gate(x)) * up(x))`` (arXiv:2002.05202), or ``down(relu(up(x))^2)``.

Shapes: ``N`` tokens (any leading dimensions), ``D`` width.
"""

from __future__ import annotations

from torch import Tensor, nn

from olmeda.model.config import ModelConfig
from olmeda.model.kernels.swiglu import gated_product
from olmeda.model.kernels.swiglu import swiglu as swiglu
from olmeda.model.linear import Linear


class MLP(nn.Module):
    """SwiGLU: gate and up from one fused product; stored apart in checkpoints."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.gate_up = Linear(config.width, 2 * config.dense_width)
        self.down = Linear(config.dense_width, config.width)

    def forward(self, x_ND: Tensor) -> Tensor:
        """Map each token by itself."""
        return gated_product(self.gate_up(x_ND), self.down.weight)


class SquaredReluMLP(nn.Module):
    """The square of a rectified product (arXiv:2109.08668): no gate, two matrices."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.up = Linear(config.width, config.dense_width)
        self.down = Linear(config.dense_width, config.width)

    def forward(self, x_ND: Tensor) -> Tensor:
        """Map each token by itself."""
        mapped: Tensor = self.down(nn.functional.relu(self.up(x_ND)).square())
        return mapped


def build_mlp(config: ModelConfig) -> nn.Module:
    """The dense MLP that a configuration asks for."""
    return MLP(config) if config.activation == "swiglu" else SquaredReluMLP(config)
