"""Best-fit packing: whole documents share an instance, and none that would fit is cut.

As in "Fewer Truncations Improve Language Modeling" (Ding et al. 2024): a document longer than an
instance is cut into full ones and a rest; rests are put, longest first, each into the instance that
it fills best. Documents are packed ``window`` at a time, in the order of the stream, so that
neither packing nor finding an instance needs all of them: memory is a count for each window and the
windows last used.

Shapes: ``B`` instances, ``T`` tokens of each; ``I`` items (parts of documents) of a window.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from olmeda.base.errors import ConfigError
from olmeda.tokens.heldout import IGNORED
from olmeda.tokens.stream import Stretches, TokenStream

WINDOWS_KEPT = 2048
"""Packed windows in memory: of 1,024 documents each, some 30 MB."""


@dataclass(frozen=True)
class Window:
    """Packed documents: item ``i`` of bin ``b``, for ``offsets[b] <= i < offsets[b + 1]``."""

    offsets: np.ndarray
    document_I: np.ndarray
    """The document's place in the window."""
    from_I: np.ndarray
    """Which of its tokens comes first."""
    length_I: np.ndarray


def pack(lengths: list[int], room: int) -> list[list[tuple[int, int, int]]]:
    """Bins of ``(document, first token, tokens)`` for documents of so many tokens each.

    The bins with a whole stretch of ``room`` tokens come first, then the others as they were
    begun; in a bin, documents keep their order.
    """
    bins = [[(d, k * room, room)] for d, n in enumerate(lengths) for k in range(n // room)]
    rests = sorted((-(n % room), d) for d, n in enumerate(lengths) if n % room)
    open_bins: dict[int, list[int]] = {}  # free tokens -> bins, the latest first out
    free = 0  # bit f is set where a bin has f tokens free
    for negative, document in rests:
        size = -negative
        fitting = free >> size
        if fitting:
            space = size + (fitting & -fitting).bit_length() - 1
            at = open_bins[space].pop()
            if not open_bins[space]:
                free ^= 1 << space
        else:
            space, at = room, len(bins)
            bins.append([])
        bins[at].append((document, lengths[document] - size, size))
        if left := space - size:
            open_bins.setdefault(left, []).append(at)
            free |= 1 << left
    return [sorted(held) for held in bins]


class BestFit:
    """Instances of whole documents: each begins with an end token to be predicted from.

    Labels beyond the last document of an instance are -100. Raises ConfigError without documents.
    """

    def __init__(self, stream: TokenStream, sequence: int, window: int) -> None:
        self.stream, self.sequence, self.window = stream, sequence, window
        documents = len(stream.begins_D) - 1
        if not documents:
            raise ConfigError(f"{stream.tokenset.path}: no documents to pack; use more text")
        self.packed = functools.lru_cache(WINDOWS_KEPT)(self._packed)
        windows = range(-(-documents // window))
        counts = [len(pack(self._lengths(number), sequence)) for number in windows]
        self._begins = np.append(0, np.cumsum(counts))
        self.identity: list[str | int] = ["best_fit", window]

    @property
    def instances(self) -> int:
        """How many there are."""
        return int(self._begins[-1])

    def rows(self, numbers_B: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Ids and labels of instances, int64 ``[B, T]``."""
        special = self.stream.tokenset.index.special
        shape = (len(numbers_B), self.sequence)
        ids_BT = np.full(shape, special["pad"], np.int64)
        labels_BT = np.full(shape, IGNORED, np.int64)
        for row, number in enumerate(numbers_B.tolist()):
            at = 0
            for nth, since, length in self._items(number):
                begin = int(self.stream.begins_D[nth]) + since
                label_T = labels_BT[row, at : at + length]
                self.stream.copy(label_T, begin)
                if since:
                    self.stream.copy(ids_BT[row, at : at + 1], begin - 1)
                else:
                    ids_BT[row, at] = special["eos"]
                ids_BT[row, at + 1 : at + length] = label_T[:-1]
                at += length
        return ids_BT, labels_BT

    def stretches(self, numbers_B: np.ndarray) -> Stretches:
        """Whose tokens are the labels of these instances."""
        found = []
        for row, number in enumerate(numbers_B.tolist()):
            at = 0
            for nth, since, length in self._items(number):
                found.append((row, at, at + length, nth, since))
                at += length
        row_S, begin_S, end_S, nth_S, from_S = np.array(found, np.int64).reshape(-1, 5).T
        return Stretches(row_S, begin_S, end_S, self.stream.number_of(nth_S), from_S)

    def holding(self, document: int) -> np.ndarray:
        """The numbers of the instances with labels of one document of the set, ascending."""
        nth = self.stream.place_of(document)
        if nth is None:
            return np.empty(0, np.int64)
        window = nth // self.window
        held = self.packed(window)
        items = np.flatnonzero(held.document_I == nth - window * self.window)
        bins = np.searchsorted(held.offsets, items, "right") - 1
        return np.asarray(bins + self._begins[window])

    def _items(self, number: int) -> Iterator[tuple[int, int, int]]:
        """Document, first token and tokens of each item of one instance."""
        window = int(np.searchsorted(self._begins, number, "right")) - 1
        held = self.packed(window)
        inside = number - self._begins[window]
        items = slice(held.offsets[inside], held.offsets[inside + 1])
        documents = (held.document_I[items] + window * self.window).tolist()
        return zip(documents, held.from_I[items].tolist(), held.length_I[items].tolist())

    def _lengths(self, window: int) -> list[int]:
        first = window * self.window
        lengths: list[int] = np.diff(self.stream.begins_D[first : first + self.window + 1]).tolist()
        return lengths

    def _packed(self, window: int) -> Window:
        bins = pack(self._lengths(window), self.sequence)
        offsets = np.append(0, np.cumsum([len(held) for held in bins]))
        items_I3 = np.array([item for held in bins for item in held], np.int64).reshape(-1, 3)
        document_I, length_I = (items_I3[:, at].astype(np.int32) for at in (0, 2))
        return Window(offsets.astype(np.int32), document_I, items_I3[:, 1].copy(), length_I)
