"""Normalisations: root mean square (arXiv:1910.07467) and LayerNorm (arXiv:1607.06450).

Shapes: ``N`` rows (any leading dimensions), ``D`` the normalised width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from olmeda.model.config import ModelConfig
from olmeda.model.kernels.rms_norm import rms_norm as rms_norm


class RMSNorm(nn.Module):
    """RMS normalisation of the last dimension with a learned weight, 1 at first."""

    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, x_ND: Tensor, beside_ND: Tensor | None = None) -> Tensor:
        """Normalise the last dimension of ``x_ND``, plus ``beside_ND``; under autocast in fp32."""
        if torch.is_autocast_enabled(x_ND.device.type):
            width = (x_ND.shape[-1],)
            normed_ND = nn.functional.rms_norm(x_ND.float(), width, self.weight, self.eps)
            return normed_ND if beside_ND is None else beside_ND + normed_ND
        return rms_norm(x_ND, self.weight, self.eps, beside_ND)


class LayerNorm(nn.Module):
    """Mean 0 and variance 1 in the last dimension; then, if ``affine``, a weight and a bias."""

    def __init__(self, width: int, eps: float, *, affine: bool) -> None:
        super().__init__()
        self.width, self.eps = width, eps
        self.weight = nn.Parameter(torch.ones(width)) if affine else None
        self.bias = nn.Parameter(torch.zeros(width)) if affine else None

    def forward(self, x_ND: Tensor, beside_ND: Tensor | None = None) -> Tensor:
        """Normalise the last dimension of ``x_ND``, plus ``beside_ND``."""
        width = (self.width,)
        normed_ND = nn.functional.layer_norm(x_ND, width, self.weight, self.bias, self.eps)
        return normed_ND if beside_ND is None else beside_ND + normed_ND


def build_norm(config: ModelConfig) -> RMSNorm | LayerNorm:
    """The norm of the residual stream that a configuration asks for."""
    if config.norm == "rms":
        return RMSNorm(config.width, config.norm_eps)
    return LayerNorm(config.width, config.norm_eps, affine=config.norm == "layer")
