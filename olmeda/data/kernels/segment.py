"""Kernels that find characters, words and lines in a buffer of concatenated UTF-8 texts.

``utf8`` uint8 [N] holds the texts back to back, ``offsets`` int64 [D + 1] where each begins;
``classes`` uint8 [N] the bits of ``olmeda.data.classes``, zero on continuation bytes.
"""

from __future__ import annotations

import numpy as np

from olmeda.data.classes import SPACE, START
from olmeda.data.kernels.compiled import compiled

NEWLINE = 10


@compiled
def classify(utf8: np.ndarray, table: np.ndarray) -> np.ndarray:
    """The class bits of each character at its first byte, uint8 [N]."""
    classes = np.zeros(utf8.size, np.uint8)
    at = 0
    while at < utf8.size:
        byte = np.int64(utf8[at])
        if byte < 0x80:
            classes[at] = table[byte]
            at += 1
        elif byte < 0xE0:
            classes[at] = table[(byte & 0x1F) << 6 | (utf8[at + 1] & 0x3F)]
            at += 2
        elif byte < 0xF0:
            high = (byte & 0x0F) << 12 | np.int64(utf8[at + 1] & 0x3F) << 6
            classes[at] = table[high | (utf8[at + 2] & 0x3F)]
            at += 3
        else:
            high = (byte & 0x07) << 18 | np.int64(utf8[at + 1] & 0x3F) << 12
            low = np.int64(utf8[at + 2] & 0x3F) << 6 | (utf8[at + 3] & 0x3F)
            classes[at] = table[high | low]
            at += 4
    return classes


@compiled
def count_characters(classes: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Characters of each text, int64 [D]."""
    counts = np.zeros(offsets.size - 1, np.int64)
    for doc in range(counts.size):
        for at in range(offsets[doc], offsets[doc + 1]):
            counts[doc] += classes[at] & START
    return counts


@compiled
def count_words(classes: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Words (as ``str.split()`` finds them) of each text, int64 [D]."""
    counts = np.zeros(offsets.size - 1, np.int64)
    for doc in range(counts.size):
        inside = False
        for at in range(offsets[doc], offsets[doc + 1]):
            if classes[at] & START:
                space = classes[at] & SPACE != 0
                counts[doc] += not space and not inside
                inside = not space
    return counts


@compiled
def find_words(
    classes: np.ndarray, offsets: np.ndarray, total: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """First byte, byte after the last, and characters of each word, int64 [total] each."""
    start = np.empty(total, np.int64)
    end = np.empty(total, np.int64)
    characters = np.zeros(total, np.int64)
    word = -1
    for doc in range(offsets.size - 1):
        inside = False
        for at in range(offsets[doc], offsets[doc + 1]):
            if not classes[at] & START:
                continue
            if classes[at] & SPACE:
                if inside:
                    end[word] = at
                inside = False
                continue
            if not inside:
                word += 1
                start[word] = at
                inside = True
            characters[word] += 1
        if inside:
            end[word] = offsets[doc + 1]
    return start, end, characters


@compiled
def count_lines(utf8: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Lines (as ``split("\\n")`` finds them, so at least one) of each text, int64 [D]."""
    counts = np.ones(offsets.size - 1, np.int64)
    for doc in range(counts.size):
        for at in range(offsets[doc], offsets[doc + 1]):
            counts[doc] += utf8[at] == NEWLINE
    return counts


@compiled
def find_lines(
    utf8: np.ndarray, classes: np.ndarray, offsets: np.ndarray, total: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """First byte, byte of the newline (or end of text), and characters of each line."""
    start = np.empty(total, np.int64)
    end = np.empty(total, np.int64)
    characters = np.zeros(total, np.int64)
    line = 0
    for doc in range(offsets.size - 1):
        start[line] = offsets[doc]
        for at in range(offsets[doc], offsets[doc + 1]):
            if utf8[at] == NEWLINE:
                end[line] = at
                line += 1
                start[line] = at + 1
            else:
                characters[line] += classes[at] & START
        end[line] = offsets[doc + 1]
        line += 1
    return start, end, characters
