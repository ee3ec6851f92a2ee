"""The one place that sets how torch computes: threads, seed, and no unrepeatable kernels."""

from __future__ import annotations

import torch
from torch.utils import deterministic


def prepare(threads: int, seed: int) -> None:
    """Use ``threads`` threads, seed torch, and refuse operations whose result may vary.

    Equal results need an equal number of threads too: sums are split between them.
    """
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    torch.use_deterministic_algorithms(True)
    # no kernel here reads memory before it is written, so filling it first would be waste
    deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
