"""Large fresh tensors on large pages, where Linux offers them: a fault for 2 MiB, not for 4 KiB."""

from __future__ import annotations

import ctypes
import functools
import mmap
import sys
from collections.abc import Callable

from torch import Tensor

LEAST = 32 << 20
"""Bytes from which on the C library maps memory anew for every tensor; smaller ones it reuses."""


@functools.cache
def _madvise() -> Callable[[ctypes.c_void_p, ctypes.c_size_t, int], int]:
    advise: Callable[[ctypes.c_void_p, ctypes.c_size_t, int], int] = ctypes.CDLL(None).madvise
    return advise


def on_large_pages(unset: Tensor) -> Tensor:
    """The tensor itself; its memory, not written yet, may come in large pages. A hint only."""
    size = unset.numel() * unset.element_size()
    if sys.platform != "linux" or unset.device.type != "cpu" or size < LEAST:
        return unset
    first = -(-unset.data_ptr() // mmap.PAGESIZE) * mmap.PAGESIZE
    within = (unset.data_ptr() + size - first) // mmap.PAGESIZE * mmap.PAGESIZE
    _madvise()(ctypes.c_void_p(first), ctypes.c_size_t(within), mmap.MADV_HUGEPAGE)
    return unset
