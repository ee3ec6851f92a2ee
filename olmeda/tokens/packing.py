"""How a stream of documents becomes instances: here cut every T tokens; ``best_fit`` packs whole.

Every token is predicted once, the token before it being the last thing the model reads. The first
token of a document is predicted from the end token of the one before.

Shapes: ``B`` instances, ``T`` tokens to predict in each.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from olmeda.base.errors import ConfigError
from olmeda.tokens.stream import Stretches, TokenStream


class Packing(Protocol):
    """Instances by their number, before any shuffling."""

    @property
    def stream(self) -> TokenStream:
        """What is packed."""

    @property
    def instances(self) -> int:
        """How many there are."""

    @property
    def identity(self) -> list[str | int]:
        """What decides what they hold, besides the stream and T."""

    def rows(self, numbers_B: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Ids and labels of instances, int64 ``[B, T]``; a label is -100 where none counts."""

    def stretches(self, numbers_B: np.ndarray) -> Stretches:
        """Whose tokens are the labels of these instances."""

    def holding(self, document: int) -> np.ndarray:
        """The numbers of the instances with labels of one document of the set, ascending."""


class Chunks:
    """Documents end to end, cut every ``sequence`` tokens; fewer at the end are left out.

    Raises ConfigError where there is less than one instance.
    """

    def __init__(self, stream: TokenStream, sequence: int) -> None:
        self.stream, self.sequence = stream, sequence
        self.instances = (stream.tokens - 1) // sequence
        if self.instances < 1:
            raise ConfigError(
                f"{stream.tokenset.path}: {stream.tokens} tokens are less than one sequence of "
                f"{sequence} and the next token; use a shorter sequence or more text"
            )
        self.identity: list[str | int] = ["chunks"]

    def rows(self, numbers_B: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Ids and labels of instances, int64 ``[B, T]``."""
        held = self.stream.rows(numbers_B * self.sequence, self.sequence + 1)
        return held[:, :-1], held[:, 1:]

    def stretches(self, numbers_B: np.ndarray) -> Stretches:
        """Whose tokens are the labels of these instances."""
        return self.stream.stretches(numbers_B * self.sequence + 1, self.sequence)

    def holding(self, document: int) -> np.ndarray:
        """The numbers of the instances with labels of one document of the set, ascending."""
        nth = self.stream.place_of(document)
        if nth is None:
            return np.empty(0, np.int64)
        begin, end = self.stream.begins_D[nth : nth + 2].tolist()
        first = max(begin - 1, 0) // self.sequence  # token p is label p - 1; token 0 is none
        upto = min(-(-(end - 1) // self.sequence), self.instances)
        return np.arange(first, upto)
