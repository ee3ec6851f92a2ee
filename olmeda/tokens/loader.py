"""Instances of tokens in an order that is a pure function of (seed, epoch).

Documents are laid end to end and cut every T tokens. What place ``p`` of the order holds is
computed from ``p`` alone, so going on after an interruption needs no state but the place.

Shapes: ``B`` instances of a batch, ``T`` tokens to predict in each.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from olmeda.artifacts.tokenset import TokenSet
from olmeda.base.errors import ConfigError
from olmeda.base.files import digest_value
from olmeda.tokens.instances import SPANS, Instances
from olmeda.tokens.order import permuted, round_keys
from olmeda.tokens.stream import TokenStream


class TokenLoader:
    """Instances of ``sequence`` tokens (and one to begin from), shuffled anew every epoch.

    Each instance comes once an epoch; a batch may span the end of one epoch and the next.
    Raises ConfigError where the set holds less than one instance.
    """

    def __init__(self, tokenset: TokenSet, sequence: int, batch: int, seed: int) -> None:
        self.tokenset, self.sequence, self.size, self.seed = tokenset, sequence, batch, seed
        self.instances = (tokenset.tokens - 1) // sequence
        if self.instances < 1:
            raise ConfigError(
                f"{tokenset.path}: {tokenset.tokens} tokens are less than one sequence of "
                f"{sequence} and the next token; use a shorter sequence or more text"
            )
        self.stream = TokenStream(tokenset)

    @property
    def order_digest(self) -> str:
        """The identity of the whole order: tokens, cut, seed and the way of shuffling."""
        return digest_value([self.tokenset.digest, self.sequence, self.seed, "feistel-6"])

    def epoch_of(self, step: int) -> int:
        """The epoch, from 0, that the first instance of batch ``step`` belongs to."""
        return step * self.size // self.instances

    def instances_of(self, step: int) -> np.ndarray:
        """The numbers of the instances of batch ``step``, ``[B]``."""
        return self.numbers(step * self.size, self.size)

    def numbers(self, first: int, count: int) -> np.ndarray:
        """The numbers of the instances at places ``first .. first + count - 1``."""
        drawn = np.arange(first, first + count)
        epochs, positions = np.divmod(drawn, self.instances)
        numbers = np.empty_like(drawn)
        for epoch in np.unique(epochs):
            here = epochs == epoch
            keys = round_keys(self.seed, int(epoch))
            numbers[here] = permuted(positions[here], self.instances, keys)
        return numbers

    def batch(self, step: int) -> np.ndarray:
        """Batch number ``step``: int64 ``[B, T + 1]``; inputs are all but the last column."""
        return self.stream.rows(self.instances_of(step) * self.sequence, self.sequence + 1)

    def read(self, first: int, count: int) -> Instances:
        """The instances at places ``first .. first + count - 1``; every token is a target."""
        rows = self.stream.rows(self.numbers(first, count) * self.sequence, self.sequence + 1)
        return Instances(rows[:, :-1], rows[:, 1:])

    def spans(self, first: int, count: int) -> pl.DataFrame:
        """Which documents those instances hold: columns ``SPANS``, in order."""
        starts = self.numbers(first, count) * self.sequence
        found = self.stream.stretches(starts, self.sequence)
        told = self.tokenset.documents.select("id", "source")[found.document_S]
        return told.with_columns(
            pl.Series("place", first + found.row_S),
            pl.Series("begin", found.begin_S),
            pl.Series("end", found.end_S),
            pl.Series("from", found.from_S),
            pl.Series("upto", found.from_S + found.end_S - found.begin_S),
        ).select(pl.col(name).cast(kind) for name, kind in SPANS.items())
