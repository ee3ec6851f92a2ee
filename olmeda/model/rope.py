"""The table of rotary positions (arXiv:2104.09864).

Shapes: ``C`` width of a head, ``S`` longest context.
"""

from __future__ import annotations

import torch
from torch import Tensor

from olmeda.model.kernels.rotary import rotate as rotate


def rotary_table(length: int, head_width: int, theta: float) -> tuple[Tensor, Tensor]:
    """Cosines and sines ``[S, C/2]`` of position times frequency, in float32."""
    steps = torch.arange(0, head_width, 2, dtype=torch.float32)
    frequencies = 1.0 / (theta ** (steps / head_width))
    angles = torch.arange(length, dtype=torch.float32)[:, None] * frequencies
    return angles.cos(), angles.sin()
