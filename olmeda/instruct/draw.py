"""Draws that any machine repeats: rows ordered by a digest of seed and name, never by chance."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from typing import Generic, TypeVar

from olmeda.base.files import digest_bytes

Row = TypeVar("Row")


def rank(seed: int, *names: str) -> int:
    """A number that stands for ``names`` under ``seed``: uniform, and the same everywhere."""
    return int(digest_bytes("\x1f".join([str(seed), *names]).encode("utf-8", "surrogatepass")), 16)


def shuffled(rows: Iterable[Row], seed: int, names: Sequence[str]) -> list[Row]:
    """``rows`` in the order of the ranks of their ``names`` (one each; equal names keep order)."""
    placed = sorted((rank(seed, name), i, row) for i, (name, row) in enumerate(zip(names, rows)))
    return [row for _, _, row in placed]


class Draw(Generic[Row]):
    """At most ``most`` of the rows offered, those of lowest rank; memory does not grow beyond."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._heap: list[tuple[int, int, Row]] = []
        self._offered = 0

    def offer(self, rank: int, row: Row) -> None:
        """Take ``row`` if its rank is among the lowest so far."""
        self._offered += 1
        entry = (-rank, -self._offered, row)
        if len(self._heap) < self.most:
            heapq.heappush(self._heap, entry)
        elif self.most and entry > self._heap[0]:
            heapq.heapreplace(self._heap, entry)

    def ranked(self) -> list[tuple[int, Row]]:
        """The drawn rows with their ranks, lowest first."""
        return [(-r, row) for r, _, row in sorted(self._heap, key=lambda e: (-e[0], -e[1]))]
