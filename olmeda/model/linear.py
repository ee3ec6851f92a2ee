"""A linear map without bias and without hidden initialisation."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Linear(nn.Module):
    """``x @ weight.T``. The weight is unset until ``initialise`` or ``hf.load`` fills it.

    torch.nn.Linear would draw from the global generator; here every draw has a named seed.
    """

    def __init__(self, into: int, out: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(out, into))

    def forward(self, x: Tensor) -> Tensor:
        """Map the last dimension of ``x``."""
        return nn.functional.linear(x, self.weight)
