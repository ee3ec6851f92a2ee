"""TextBatch: many texts in one UTF-8 buffer, with words and lines found once for all taggers."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from olmeda.data.classes import class_table
from olmeda.data.kernels import segment

BATCH_BYTES = 4_000_000
"""Texts are gathered up to about this size; derived arrays take some ten times as much."""


@dataclass(frozen=True)
class Segments:
    """Stretches of the buffer, all texts' in order; text ``d`` has ``of[d]:of[d + 1]`` of them.

    ``start``, ``end``: bytes of the buffer, int64; ``characters``: code points in between.
    """

    start: np.ndarray
    end: np.ndarray
    characters: np.ndarray
    of: np.ndarray


@dataclass(frozen=True)
class TextBatch:
    """Texts back to back: ``utf8`` uint8 [N] and ``offsets`` int64 [D + 1].

    Lone surrogates are kept as three bytes each, so any Python string has a place here.
    """

    utf8: np.ndarray
    offsets: np.ndarray

    @classmethod
    def of(cls, texts: Sequence[str]) -> TextBatch:
        """Encode ``texts``, any Unicode."""
        encoded = [text.encode("utf-8", "surrogatepass") for text in texts]
        offsets = np.zeros(len(encoded) + 1, np.int64)
        np.cumsum([len(e) for e in encoded], out=offsets[1:])
        return cls(np.frombuffer(b"".join(encoded), np.uint8), offsets)

    def __len__(self) -> int:
        return self.offsets.size - 1

    @property
    def bytes(self) -> np.ndarray:
        """UTF-8 bytes of each text, int64 [D]."""
        return np.diff(self.offsets)

    @functools.cached_property
    def classes(self) -> np.ndarray:
        """Character class bits at each first byte, uint8 [N]; see ``olmeda.data.classes``."""
        return segment.classify(self.utf8, class_table())

    @functools.cached_property
    def characters(self) -> np.ndarray:
        """Code points of each text, int64 [D]."""
        return segment.count_characters(self.classes, self.offsets)

    @functools.cached_property
    def words(self) -> Segments:
        """Words as ``str.split()`` finds them."""
        of = _running(segment.count_words(self.classes, self.offsets))
        start, end, characters = segment.find_words(self.classes, self.offsets, of[-1])
        return Segments(start, end, characters, of)

    @functools.cached_property
    def lines(self) -> Segments:
        """Lines as ``str.split("\\n")`` finds them, without their newline."""
        of = _running(segment.count_lines(self.utf8, self.offsets))
        start, end, characters = segment.find_lines(self.utf8, self.classes, self.offsets, of[-1])
        return Segments(start, end, characters, of)


def _running(counts: np.ndarray) -> np.ndarray:
    of = np.zeros(counts.size + 1, np.int64)
    np.cumsum(counts, out=of[1:])
    return of


def batches(texts: Iterable[str], size: int = BATCH_BYTES) -> Iterator[TextBatch]:
    """Gather ``texts`` in order into batches of about ``size`` characters."""
    held: list[str] = []
    weight = 0
    for text in texts:
        held.append(text)
        weight += len(text)
        if weight >= size:
            yield TextBatch.of(held)
            held, weight = [], 0
    if held:
        yield TextBatch.of(held)
