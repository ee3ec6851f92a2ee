"""Pairs of answers to one prompt, batched: the chosen rows first, then the rejected ones.

Shapes: ``P`` pairs, ``B`` = 2 P rows, ``T`` tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from olmeda.train.rows import Rows
from olmeda.tune.encode import Encoded, last_places, order_digest, padded
from olmeda.tune.order import ShuffledRows
from olmeda.tune.settings import TuneLoop

EncodedPair = tuple[Encoded, Encoded]
"""Chosen and rejected."""


@dataclass(frozen=True)
class Pairs:
    """A micro-batch of pairs; ``numbers`` are their places in the data."""

    rows: Rows
    last_B: Tensor
    numbers: list[int]

    @property
    def units(self) -> int:
        """How many pairs."""
        return len(self.numbers)

    @property
    def tokens(self) -> int:
        """Tokens of both answers and their prompts."""
        return self.rows.tokens


def side_by_side(pairs: Sequence[EncodedPair], numbers: Sequence[int], pad: int) -> Pairs:
    """The micro-batch of the pairs with these numbers."""
    rows = [pairs[n][0] for n in numbers] + [pairs[n][1] for n in numbers]
    return Pairs(padded(rows, pad), last_places(rows), list(numbers))


def pair_batches(pairs: Sequence[EncodedPair], loop: TuneLoop, seed: int, pad: int) -> ShuffledRows:
    """Batches of pairs; a pair's two rows are always in one micro-batch."""
    lengths = np.array([[len(c.ids), len(r.ids)] for c, r in pairs])
    return ShuffledRows(
        tokens=lengths.sum(1),
        widths=2 * lengths.max(1),
        batch_tokens=loop.batch_tokens,
        micro_tokens=loop.micro_tokens,
        seed=seed,
        order_digest=order_digest([row for pair in pairs for row in pair], loop.batch_tokens, seed),
        collate=lambda numbers: side_by_side(pairs, numbers, pad),
    )
