"""Root-mean-square normalisation (arXiv:1910.07467) as a module.

Shapes: ``N`` rows (any leading dimensions), ``D`` the normalised width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from olmeda.model.kernels.rms_norm import rms_norm as rms_norm


class RMSNorm(nn.Module):
    """RMS normalisation of the last dimension with a learned weight, 1 at first."""

    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, x_ND: Tensor) -> Tensor:
        """Normalise the last dimension of ``x_ND``."""
        return rms_norm(x_ND, self.weight, self.eps)
