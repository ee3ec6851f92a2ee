"""Stretches of tokens that may see only themselves: documents that share a row."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Segments:
    """How the ``B T`` tokens of a batch, row after row, fall into stretches; none crosses a row.

    A token attends to its own stretch only. Rotary positions are relative, so they run on.
    """

    lengths: tuple[int, ...]

    def of(self, tokens: int) -> tuple[int, ...]:
        """The lengths. Raises ValueError where they are not those of ``tokens`` tokens."""
        if sum(self.lengths) != tokens or min(self.lengths, default=0) < 0:
            raise ValueError(
                f"the segments hold {sum(self.lengths)} tokens in {len(self.lengths)} stretches "
                f"and the batch {tokens}; every token must lie in one stretch"
            )
        return self.lengths

    def by_length(self) -> dict[int, list[int]]:
        """Length -> where the stretches of that length begin, lengths in the order they come."""
        found: dict[int, list[int]] = {}
        start = 0
        for length in self.lengths:
            found.setdefault(length, []).append(start)
            start += length
        return found
