"""Kernels that fingerprint lines, paragraphs and word n-grams, and remember which were seen."""

from __future__ import annotations

import numpy as np

from olmeda.data.classes import SPACE, START
from olmeda.data.kernels.compiled import compiled
from olmeda.data.kernels.table import hash_bytes, mix

SECOND = np.uint64(0x9E3779B97F4A7C15)


@compiled
def hash_ranges(utf8: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """A 128-bit hash of each byte range as two words, uint64 [R, 2]; the first is never 0."""
    found = np.empty((start.size, 2), np.uint64)
    for index in range(start.size):
        second = np.uint64(end[index] - start[index])
        for at in range(start[index], end[index]):
            second = (second + np.uint64(utf8[at]) + np.uint64(1)) * SECOND
            second ^= second >> np.uint64(29)
        first = hash_bytes(utf8, start[index], end[index])
        found[index, 0] = max(first, np.uint64(1))
        found[index, 1] = mix(second)
    return found


@compiled
def count_words_in(classes: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Words (as ``str.split()`` finds them) in each byte range, int64 [R]."""
    found = np.zeros(start.size, np.int64)
    for index in range(start.size):
        inside = False
        for at in range(start[index], end[index]):
            if classes[at] & START:
                space = classes[at] & SPACE != 0
                found[index] += not space and not inside
                inside = not space
    return found


@compiled
def insert_all(table: np.ndarray, hashes: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """For each hash that is ``wanted``, bool: it was in the table already; new ones are put in.

    ``table`` uint64 [power of two, 2], zero where free, must keep room for all.
    """
    seen = np.zeros(hashes.shape[0], np.bool_)
    mask = table.shape[0] - 1
    for index in range(hashes.shape[0]):
        if not wanted[index]:
            continue
        slot = np.int64(hashes[index, 0]) & mask
        while table[slot, 0] != 0 and (
            table[slot, 0] != hashes[index, 0] or table[slot, 1] != hashes[index, 1]
        ):
            slot = (slot + 1) & mask
        seen[index] = table[slot, 0] != 0
        table[slot] = hashes[index]
    return seen


@compiled
def move_all(table: np.ndarray, larger: np.ndarray) -> None:
    """Put every entry of ``table`` into the empty ``larger`` one."""
    mask = larger.shape[0] - 1
    for entry in range(table.shape[0]):
        if table[entry, 0] == 0:
            continue
        slot = np.int64(table[entry, 0]) & mask
        while larger[slot, 0] != 0:
            slot = (slot + 1) & mask
        larger[slot] = table[entry]


@compiled
def hash_ngrams(
    utf8: np.ndarray, start: np.ndarray, end: np.ndarray, of: np.ndarray, n: int
) -> tuple[np.ndarray, np.ndarray]:
    """A 64-bit hash of each word n-gram of each text, and where each text's begin, int64 [D + 1].

    A text of W words has W - n + 1 n-grams, none if it has fewer than n words.
    """
    begins = np.zeros(of.size, np.int64)
    for doc in range(of.size - 1):
        begins[doc + 1] = begins[doc] + max(0, of[doc + 1] - of[doc] - n + 1)
    words = np.empty(start.size, np.uint64)
    for word in range(start.size):
        words[word] = hash_bytes(utf8, start[word], end[word])
    found = np.empty(begins[-1], np.uint64)
    for doc in range(of.size - 1):
        for gram in range(begins[doc + 1] - begins[doc]):
            value = np.uint64(n)
            for word in range(of[doc] + gram, of[doc] + gram + n):
                value = mix(value ^ words[word]) * SECOND
            found[begins[doc] + gram] = value
    return found, begins
