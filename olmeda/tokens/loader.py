"""Batches of tokens in an order that is a pure function of (seed, epoch).

Documents are laid end to end and cut every T tokens. Batch number ``step`` is computed from its
number alone, so going on after an interruption needs no state but the step.

Shapes: ``B`` instances of a batch, ``T`` tokens to predict in each.
"""

from __future__ import annotations

import numpy as np

from olmeda.artifacts.tokenset import TokenSet
from olmeda.base.errors import ConfigError
from olmeda.base.files import digest_value
from olmeda.tokens.order import permuted, round_keys


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
        self._ids = [tokenset.ids(s) for s in tokenset.index.shards]
        lengths = [s.tokens for s in tokenset.index.shards]
        self._begins = np.cumsum([0, *lengths])

    @property
    def order_digest(self) -> str:
        """The identity of the whole order: tokens, cut, seed and the way of shuffling."""
        return digest_value([self.tokenset.digest, self.sequence, self.seed, "feistel-6"])

    def epoch_of(self, step: int) -> int:
        """The epoch, from 0, that the first instance of batch ``step`` belongs to."""
        return step * self.size // self.instances

    def instances_of(self, step: int) -> np.ndarray:
        """The numbers of the instances of batch ``step``, ``[B]``."""
        drawn = np.arange(step * self.size, (step + 1) * self.size)
        epochs, positions = np.divmod(drawn, self.instances)
        numbers = np.empty_like(drawn)
        for epoch in np.unique(epochs):
            here = epochs == epoch
            keys = round_keys(self.seed, int(epoch))
            numbers[here] = permuted(positions[here], self.instances, keys)
        return numbers

    def batch(self, step: int) -> np.ndarray:
        """Batch number ``step``: int64 ``[B, T + 1]``; inputs are all but the last column."""
        rows = [self._ids_at(n * self.sequence, self.sequence + 1) for n in self.instances_of(step)]
        return np.stack(rows)

    def _ids_at(self, start: int, length: int) -> np.ndarray:
        """``length`` ids from place ``start`` of the shards laid end to end, int64."""
        out = np.empty(length, np.int64)
        filled = 0
        shard = int(np.searchsorted(self._begins, start, "right")) - 1
        while filled < length:
            inside = start + filled - self._begins[shard]
            part = self._ids[shard][inside : inside + length - filled]
            out[filled : filled + len(part)] = part
            filled += len(part)
            shard += 1
        return out
