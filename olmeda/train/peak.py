"""How fast this machine multiplies matrices: what a training step is held against."""

from __future__ import annotations

import time

import torch

SIDES = {"cpu": 1024, "cuda": 8192}
"""The side of the square matrices by kind of device: large enough that products run at full speed,
small enough that a processor is done in a tenth of a second."""
ROUNDS = 4
"""The first round warms up; the best of the others counts, for a busy machine only takes away."""


def matmul_peak(device: str = "cpu", dtype: torch.dtype = torch.float32) -> float:
    """Operations a second of the best of three products of square matrices, 2 n^3 each."""
    kind = torch.device(device).type
    side = SIDES.get(kind, SIDES["cuda"])
    one = torch.ones(side, side, device=device, dtype=dtype)
    out = torch.empty_like(one)
    best = float("inf")
    for turn in range(ROUNDS):
        _wait(kind)
        began = time.perf_counter()
        torch.mm(one, one, out=out)
        _wait(kind)
        if turn:
            best = min(best, time.perf_counter() - began)
    return 2.0 * side**3 / best


def _wait(kind: str) -> None:
    if kind == "cuda":
        torch.cuda.synchronize()
