"""Open-addressing hash tables over byte ranges: the pieces that several kernels share."""

from __future__ import annotations

import numpy as np

from olmeda.data.kernels.compiled import compiled


@compiled
def table_size(entries: int) -> int:
    """The power of two that holds ``entries`` at most half full."""
    size = 8
    while size < 2 * entries:
        size *= 2
    return size


@compiled
def mix(value: np.uint64) -> np.uint64:
    """Spread every bit of ``value`` over all 64 (the finaliser of MurmurHash3)."""
    value ^= value >> np.uint64(33)
    value *= np.uint64(0xFF51AFD7ED558CCD)
    value ^= value >> np.uint64(33)
    value *= np.uint64(0xC4CEB9FE1A85EC53)
    return value ^ (value >> np.uint64(33))


@compiled
def hash_bytes(utf8: np.ndarray, start: int, end: int) -> np.uint64:
    """A 64-bit hash of bytes ``start:end`` (FNV-1a, then mixed)."""
    value = np.uint64(0xCBF29CE484222325)
    for at in range(start, end):
        value = (value ^ np.uint64(utf8[at])) * np.uint64(0x100000001B3)
    return mix(value)


@compiled
def same_bytes(utf8: np.ndarray, start: int, end: int, other: int, other_end: int) -> bool:
    """Whether ``start:end`` and ``other:other_end`` hold the same bytes."""
    if end - start != other_end - other:
        return False
    for at in range(end - start):  # noqa: SIM110 (numba has no generators here)
        if utf8[start + at] != utf8[other + at]:
            return False
    return True
