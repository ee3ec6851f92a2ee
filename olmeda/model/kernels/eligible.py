"""Which tensors the kernels of this folder take; torch computes the others."""

from __future__ import annotations

import torch
from torch import Tensor

LANES = 16
"""Numbers of a vector, as in ``vectors`` (which imports the compiler: only where it is used)."""


def vectorises(width: int, *tensors: Tensor) -> bool:
    """Whether all are float32 on the CPU, in whole vectors of ``width``, and no graph is traced."""
    # under autocast some come in another type than others, which norms leave in float32
    plain = all(t.device.type == "cpu" and t.dtype == torch.float32 for t in tensors)
    held = plain and tensors[0].numel() > 0 and width % LANES == 0
    return held and not torch.compiler.is_compiling()
