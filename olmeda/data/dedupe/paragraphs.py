"""Copies of paragraphs, by a 128-bit hash of their bytes, the separator left out."""

from __future__ import annotations

import numpy as np

from olmeda.data.batch import Segments, TextBatch
from olmeda.data.columns import SpanColumn
from olmeda.data.kernels.fingerprint import count_words_in, hash_ranges, insert_all, move_all


class SeenHashes:
    """A set of 128-bit hashes that grows; at most 64 bytes of memory a hash."""

    def __init__(self, room: int = 1 << 16) -> None:
        self.table = np.zeros((room, 2), np.uint64)
        self.entries = 0

    def insert(self, hashes: np.ndarray, wanted: np.ndarray) -> np.ndarray:
        """For each wanted hash [R, 2], in order, bool [R]: it was inserted before."""
        while self.table.shape[0] < 2 * (self.entries + int(wanted.sum())):
            larger = np.zeros((2 * self.table.shape[0], 2), np.uint64)
            move_all(self.table, larger)
            self.table = larger
        seen = insert_all(self.table, hashes, wanted)
        self.entries += int((wanted & ~seen).sum())
        return seen


def duplicate_paragraphs(
    texts: TextBatch, seen: SeenHashes, by_blank_line: bool, min_words: int
) -> SpanColumn:
    """Paragraphs that stood before in this batch or an earlier one, each with its separator.

    A paragraph is a line, or with ``by_blank_line`` a run of lines that are not empty.
    """
    lines = texts.lines
    first, last, of = paragraph_borders(lines, by_blank_line)
    start, end = lines.start[first], lines.end[last]
    wanted = count_words_in(texts.classes, start, end) >= min_words
    again = seen.insert(hash_ranges(texts.utf8, start, end), wanted)
    begin, after = paragraph_characters(lines, last, by_blank_line)
    runs = np.concatenate([[0], np.cumsum(again)])[of]
    return SpanColumn(runs, begin[first][again], after[again], np.ones(int(again.sum())))


def paragraph_borders(
    lines: Segments, by_blank_line: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """First and last line of each paragraph, int64 [P], and each text's run of them [D + 1]."""
    every = np.arange(lines.start.size)
    if not by_blank_line:
        return every, every, lines.of
    text = np.repeat(np.arange(lines.of.size - 1), np.diff(lines.of))
    filled = lines.start < lines.end
    new_text = np.diff(text, prepend=-1) != 0
    before = np.concatenate([[False], filled[:-1]]) & ~new_text
    after = np.concatenate([filled[1:], [False]]) & ~np.concatenate([new_text[1:], [True]])
    first, last = every[filled & ~before], every[filled & ~after]
    return first, last, np.searchsorted(first, lines.of)


def paragraph_characters(
    lines: Segments, last: np.ndarray, by_blank_line: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Where each line begins, and where each paragraph ends with its separator, in code points."""
    counts = np.diff(lines.of)
    is_last = np.zeros(lines.start.size, bool)
    is_last[lines.of[1:] - 1] = True
    length = lines.characters + ~is_last
    running = np.concatenate([[0], np.cumsum(length)])
    begin = running[:-1] - np.repeat(running[lines.of[:-1]], counts)
    after = begin + length
    if not by_blank_line:
        return begin, after[last]
    # what follows a run within its text is an empty line: the second newline of the separator
    return begin, after[last + ~is_last[last]]
