"""What training reads: instances of a fixed length in an endless order, each by its place in it.

A loader is a pure function of its settings: place ``p`` of the order holds the same tokens on every
machine, whatever was read before. Epoch after epoch the places run on.

Shapes: ``B`` instances, ``T`` tokens of each.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import polars as pl


@dataclass(frozen=True)
class Instances:
    """Rows to train on: int64, ``labels_BT[b, t]`` the target at t, -100 where none counts."""

    ids_BT: np.ndarray
    labels_BT: np.ndarray
    lengths: tuple[int, ...] | None = None
    """Stretches that see only themselves, row after row (they fill all ``B T`` tokens); None: a
    token sees its whole row before it. A stretch has the labels of one document."""


SPANS = {
    "place": pl.Int64,
    "begin": pl.Int32,
    "end": pl.Int32,
    "id": pl.String,
    "source": pl.String,
    "from": pl.Int64,
    "upto": pl.Int64,
    "document": pl.Int64,
}
"""One row for each stretch of a document in an instance: the instance's place in the order, and
that its labels ``begin .. end`` are the tokens ``from .. upto`` of the document. Labels, since they
are what is learned from: an epoch has every token once among them. ``document`` is its row in
``TokenSet.documents``."""


class Sizes(Protocol):
    """How large instances and epochs are: all that the sizes of steps depend on."""

    @property
    def sequence(self) -> int:
        """Tokens of an instance (T)."""

    @property
    def instances(self) -> int:
        """Instances of one epoch."""


class Loader(Sizes, Protocol):
    """Instances in order. Implementations: ``TokenLoader``, which the ``data`` block builds."""

    @property
    def order_digest(self) -> str:
        """The identity of the whole order, content included."""

    def read(self, first: int, count: int) -> Instances:
        """The instances at places ``first .. first + count - 1``."""

    def spans(self, first: int, count: int) -> pl.DataFrame:
        """Which documents those instances hold: columns ``SPANS``, in order."""

    def places_of(self, document: int, before: int) -> np.ndarray:
        """The places below ``before`` with labels of one document, ascending.

        ``document``: its row in ``TokenSet.documents``.
        """
