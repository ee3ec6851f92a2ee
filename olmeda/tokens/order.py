"""A shuffle that needs no list: a keyed permutation of 0 .. n-1, computed position by position.

A Feistel network permutes the numbers of an even count of bits; numbers that fall outside 0 .. n-1
are sent through again until they fall inside (cycle walking; Black & Rogaway 2002), which keeps it
a permutation. The same key gives the same order on every machine, and any position costs the same,
forth and back.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np

ROUNDS = 6
BLOCK = 1024
"""Positions that ``ordered`` computes at once: of eight alone, calls of numpy cost the most."""
_MULTIPLIERS = (0xBF58476D1CE4E5B9, 0x94D049BB133111EB)
"""The finaliser of splitmix64 (Steele et al. 2014), the round function here."""

_Network = Callable[[np.ndarray, np.uint64, np.ndarray], np.ndarray]


def _mixed(x: np.ndarray) -> np.ndarray:
    x = (x ^ (x >> np.uint64(30))) * np.uint64(_MULTIPLIERS[0])
    x = (x ^ (x >> np.uint64(27))) * np.uint64(_MULTIPLIERS[1])
    return np.asarray(x ^ (x >> np.uint64(31)))


@functools.lru_cache(maxsize=1024)  # deriving keys costs as much as permuting some 500 positions
def round_keys(*key: int) -> np.ndarray:
    """Derive the keys of all rounds from integers, for example a seed and an epoch."""
    keys = np.random.SeedSequence([k % (1 << 64) for k in key]).generate_state(ROUNDS, np.uint64)
    keys.flags.writeable = False
    return keys


def permuted(positions: np.ndarray, n: int, keys: np.ndarray) -> np.ndarray:
    """Where the permutation of 0 .. n-1 sends each of ``positions`` (int64 in, int64 out)."""
    return _walked(positions, n, keys, _feistel)


def ordered(positions: np.ndarray, n: int, *key: int) -> np.ndarray:
    """``permuted`` under ``round_keys(*key)``, for positions that are asked for one after another.

    They are computed a block at a time, and the last blocks are kept.
    """
    out = np.empty(len(positions), np.int64)
    block_N, inside_N = np.divmod(positions, BLOCK)
    for block in np.unique(block_N).tolist():
        here = block_N == block
        out[here] = _block(block, n, key)[inside_N[here]]
    return out


@functools.lru_cache(maxsize=256)
def _block(block: int, n: int, key: tuple[int, ...]) -> np.ndarray:
    positions = np.arange(block * BLOCK, min((block + 1) * BLOCK, n))
    return permuted(positions, n, round_keys(*key))


def unpermuted(numbers: np.ndarray, n: int, keys: np.ndarray) -> np.ndarray:
    """The positions that ``permuted`` sends to ``numbers``."""
    return _walked(numbers, n, keys, _feistel_back)


def _walked(x: np.ndarray, n: int, keys: np.ndarray, network: _Network) -> np.ndarray:
    assert n >= 1
    assert not len(x) or 0 <= x.min() <= x.max() < n
    half = np.uint64(max(1, ((n - 1).bit_length() + 1) // 2))
    found = network(x.astype(np.uint64), half, keys)
    outside = np.flatnonzero(found >= n)
    while len(outside):
        found[outside] = network(found[outside], half, keys)
        outside = outside[found[outside] >= n]
    return found.astype(np.int64)


def _feistel(x: np.ndarray, half: np.uint64, keys: np.ndarray) -> np.ndarray:
    mask = (np.uint64(1) << half) - np.uint64(1)
    left, right = x >> half, x & mask
    for key in keys:
        left, right = right, left ^ (_mixed(right + key) & mask)
    return np.asarray((left << half) | right)


def _feistel_back(x: np.ndarray, half: np.uint64, keys: np.ndarray) -> np.ndarray:
    mask = (np.uint64(1) << half) - np.uint64(1)
    left, right = x >> half, x & mask
    for key in keys[::-1]:
        left, right = right ^ (_mixed(left + key) & mask), left
    return np.asarray((left << half) | right)
