"""Independent items spread over as many threads as torch uses."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import torch

WORTH_SPLITTING = 1 << 21
"""Below so many operations another thread costs more than it saves."""


@functools.cache
def _pool(workers: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(workers, thread_name_prefix="kernel")


if hasattr(os, "register_at_fork"):  # a forked process has none of its parent's threads
    os.register_at_fork(after_in_child=_pool.cache_clear)


def in_parts(work: Callable[[int, int], None], costs: np.ndarray) -> None:
    """Call ``work(first, end)`` for contiguous parts of the items, of about equal cost.

    ``work`` must free the interpreter (``compiled`` functions do), and no item may touch what
    another writes: then the parts change no result.
    """
    threads = min(torch.get_num_threads(), len(costs))
    total = float(costs.sum())
    if threads < 2 or total < WORTH_SPLITTING:
        work(0, len(costs))
        return
    reached = np.cumsum(costs)
    cuts = [int(np.searchsorted(reached, total * part / threads)) + 1 for part in range(1, threads)]
    bounds = [0, *(min(cut, len(costs)) for cut in cuts), len(costs)]
    pool = _pool(threads - 1)
    others = [pool.submit(work, *pair) for pair in pairwise(bounds[1:])]
    try:
        work(0, bounds[1])
    finally:
        for other in others:
            other.result()
