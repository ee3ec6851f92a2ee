"""Batches of whole rows, shuffled anew each epoch, cut by length into micro-batches.

Rows are never cut or joined: each stands in a line of its own, padded on the right to the longest
of its micro-batch, so attention never crosses from one conversation to another.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from olmeda.tokens.order import permuted, round_keys
from olmeda.train.duration import Position
from olmeda.train.step import MicroBatch

LEAST_FILL = 0.75
"""Padding against calls: 12 % of the tour's rows is padding, without it 30 % (LOG, 2026-11-22)."""

Collate = Callable[[Sequence[int]], MicroBatch]
"""Builds a micro-batch from the numbers of its rows."""


@dataclass(frozen=True)
class ShuffledRows:
    """Steps over rows: each epoch's order is cut into parts of nearly ``batch_tokens`` tokens.

    ``tokens``: how many each row holds; ``widths``: how many it takes in a micro-batch when it is
    the longest there, padding of its parts included (for a pair twice its longer part).
    """

    tokens: np.ndarray
    widths: np.ndarray
    batch_tokens: int
    micro_tokens: int
    seed: int
    order_digest: str
    collate: Collate

    @property
    def steps_per_epoch(self) -> int:
        """Steps in one pass; every row comes once."""
        steps = round(int(self.tokens.sum()) / self.batch_tokens)
        return min(max(steps, 1), len(self.tokens))

    def after(self, steps: int) -> Position:
        """Where training is after so many steps; its tokens are the mean of a step, times these."""
        epochs = steps / self.steps_per_epoch
        return Position(steps, round(epochs * int(self.tokens.sum())), epochs)

    def rows_of(self, step: int) -> np.ndarray:
        """The numbers of the rows of one step, a pure function of seed and step."""
        steps = self.steps_per_epoch
        epoch, part = divmod(step, steps)
        bounds = np.arange(part, part + 2) * len(self.tokens) // steps
        keys = round_keys(self.seed, epoch)
        return permuted(np.arange(bounds[0], bounds[1]), len(self.tokens), keys)

    def at(self, step: int) -> list[MicroBatch]:
        """The micro-batches of one step, longest rows first."""
        groups = grouped_by_length(self.rows_of(step), self.widths, self.micro_tokens)
        return [self.collate(group) for group in groups]


def grouped_by_length(rows: np.ndarray, widths: np.ndarray, micro_tokens: int) -> list[list[int]]:
    """Groups of rows of like length, each at most ``micro_tokens`` wide when padded (one at least).

    Longest first; rows of equal length keep their order. No row of a group is shorter than
    ``LEAST_FILL`` of its longest.
    """
    groups: list[list[int]] = []
    for row in rows[np.argsort(-widths[rows], kind="stable")].tolist():
        widest = widths[groups[-1][0]] if groups else 0
        alike = widths[row] >= LEAST_FILL * widest
        if groups and alike and (len(groups[-1]) + 1) * widest <= micro_tokens:
            groups[-1].append(row)
        else:
            groups.append([row])
    return groups
