"""Instances of tokens in an order that is a pure function of (seed, epoch).

What place ``p`` of the order holds is computed from ``p`` alone, so going on after an interruption
needs no state but the place, and who saw a document is computed, too.

Shapes: ``B`` instances of a batch, ``T`` tokens to predict in each.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from olmeda.artifacts.tokenset import TokenSet
from olmeda.base.files import digest_bytes, digest_value
from olmeda.tokens.allotment import Allotment
from olmeda.tokens.heldout import IGNORED
from olmeda.tokens.instances import SPANS, Instances
from olmeda.tokens.order import ordered, round_keys, unpermuted
from olmeda.tokens.packing import Chunks, Packing
from olmeda.tokens.repeats import RepeatRule
from olmeda.tokens.stream import Stretches, TokenStream


@dataclass(frozen=True)
class Part:
    """Instances that are shuffled among themselves; ``key`` sets their shuffle apart."""

    name: str
    packing: Packing
    key: tuple[int, ...] = ()


class TokenLoader:
    """Instances of ``sequence`` tokens in the order that ``seed`` draws, epoch after epoch.

    One part, unless ``parts`` says otherwise: documents end to end, each instance once an epoch. Of
    several, ``allotment`` tells whose turn it is, and each has epochs of its own.
    ``inside_documents``: tokens see only their own document. ``rule``: what it finds is masked.
    """

    def __init__(
        self,
        tokenset: TokenSet,
        sequence: int,
        seed: int,
        parts: Sequence[Part] = (),
        allotment: Allotment | None = None,
        *,
        inside_documents: bool = False,
        rule: RepeatRule | None = None,
    ) -> None:
        self.tokenset, self.sequence, self.seed = tokenset, sequence, seed
        self.parts = tuple(parts) or (Part("", Chunks(TokenStream(tokenset), sequence)),)
        assert allotment is not None or len(self.parts) == 1
        self.allotment, self.inside_documents, self.rule = allotment, inside_documents, rule

    @property
    def instances(self) -> int:
        """Instances of one epoch; of several parts, of all together."""
        return sum(part.packing.instances for part in self.parts)

    @property
    def places(self) -> int | None:
        """How many places the order has, None where it never ends."""
        return None if self.allotment is None else self.allotment.places

    @property
    def order_digest(self) -> str:
        """The identity of the whole order: tokens, packing, mixture, seed, way of shuffling."""
        told = [
            [p.name, p.key, p.packing.identity, *_documents(p.packing.stream)] for p in self.parts
        ]
        legs = None
        if self.allotment is not None:
            legs = [[g.first, g.blocks, g.quotas, g.before] for g in self.allotment.legs]
        rule = None if self.rule is None else self.rule.settings()
        settings = [self.sequence, self.seed, "feistel-6", told, legs, self.inside_documents, rule]
        return digest_value([self.tokenset.digest, *settings])

    def read(self, first: int, count: int) -> Instances:
        """The instances at places ``first .. first + count - 1``."""
        ids_BT = np.empty((count, self.sequence), np.int64)
        labels_BT = np.empty_like(ids_BT)
        for part, numbers, here in self._located(first, count):
            ids_BT[here], labels_BT[here] = part.packing.rows(numbers)
        if self.rule is not None:
            labels_BT[self.rule.breaks(labels_BT)] = IGNORED
        lengths = self._lengths(first, count) if self.inside_documents else None
        return Instances(ids_BT, labels_BT, lengths)

    def spans(self, first: int, count: int) -> pl.DataFrame:
        """Which documents those instances hold: columns ``SPANS``, in order."""
        found = self._stretches(first, count)
        told = self.tokenset.documents.select("id", "source")[found.document_S]
        return told.with_columns(
            pl.Series("place", first + found.row_S),
            pl.Series("begin", found.begin_S),
            pl.Series("end", found.end_S),
            pl.Series("from", found.from_S),
            pl.Series("upto", found.from_S + found.end_S - found.begin_S),
            pl.Series("document", found.document_S),
        ).select(pl.col(name).cast(kind) for name, kind in SPANS.items())

    def places_of(self, document: int, before: int) -> np.ndarray:
        """The places below ``before`` with labels of one document, ascending."""
        found = [np.empty(0, np.int64)]
        drawn = (before,) if self.allotment is None else self.allotment.drawn(before)
        for index, part in enumerate(self.parts):
            n, numbers = part.packing.instances, part.packing.holding(document)
            for epoch in range(-(-drawn[index] // n) if len(numbers) else 0):
                nth = epoch * n + unpermuted(numbers, n, round_keys(self.seed, epoch, *part.key))
                if self.allotment is not None:
                    nth = self.allotment.places_of(index, nth)
                found.append(nth[(nth >= 0) & (nth < before)])
        return np.unique(np.concatenate(found))

    def _located(self, first: int, count: int) -> Iterator[tuple[Part, np.ndarray, np.ndarray]]:
        """Each part that is drawn from, with its instances' numbers and rows of the batch."""
        nth_B = np.arange(first, first + count)
        part_B = np.zeros(count, np.int64)
        if self.allotment is not None:
            part_B, nth_B = self.allotment.draws(nth_B)
        for index in np.unique(part_B).tolist():
            part, here = self.parts[index], np.flatnonzero(part_B == index)
            epochs, positions = np.divmod(nth_B[here], part.packing.instances)
            numbers = np.empty_like(positions)
            for epoch in np.unique(epochs).tolist():
                now, n = epochs == epoch, part.packing.instances
                numbers[now] = ordered(positions[now], n, self.seed, epoch, *part.key)
            yield part, numbers, here

    def _stretches(self, first: int, count: int) -> Stretches:
        found = []
        for part, numbers, here in self._located(first, count):
            held = part.packing.stretches(numbers)
            found.append(held._replace(row_S=here[held.row_S]))
        if len(found) == 1:
            return found[0]
        whole = Stretches(*(np.concatenate(columns) for columns in zip(*found)))
        order = np.argsort(whole.row_S, kind="stable")
        return Stretches(*(column[order] for column in whole))

    def _lengths(self, first: int, count: int) -> tuple[int, ...]:
        """The stretches of all rows, what is left of a row being one of its own."""
        found = self._stretches(first, count)
        length_S = found.end_S - found.begin_S
        last_S = np.append(found.row_S[1:] != found.row_S[:-1], True)
        left_S = np.where(last_S, self.sequence - found.end_S, 0)
        both = np.stack([length_S, left_S], 1).ravel()
        return tuple(both[both > 0].tolist())


def _documents(stream: TokenStream) -> list[str]:
    """The digest of which documents a stream has; none for all."""
    if stream.chosen is None:
        return []
    return [digest_bytes(np.ascontiguousarray(stream.chosen, "<i8").tobytes())]
