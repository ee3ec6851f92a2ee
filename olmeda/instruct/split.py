"""Which documents may teach and which may only test: the walls between splits."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import pyarrow as pa

from olmeda.artifacts.corpus import Attributes, Corpus, Document
from olmeda.base.errors import ArtifactError
from olmeda.instruct.draw import rank

NEAR = 0.3
"""A document that shares at least this share of its n-grams with a held-out one teaches nothing;
a held-out one of which as much stands in a document that teaches tests nothing."""
TRAIN, VALIDATION, TEST = "train", "validation", "test"
SPLITS = (TRAIN, VALIDATION, TEST)


class Placed(NamedTuple):
    """A document and its split; None where it is too near to a held-out document for any."""

    document: Document
    split: str | None


def group_of(document: Document, by: str) -> str:
    """What stays together: the document's metadata under ``by``, its id where it has none."""
    value = document.metadata.get(by)
    return document.id if value is None else str(value)


class Marks(NamedTuple):
    """What data.hold_out says of one document; see its documentation for the shares."""

    held_out: float
    near_copy: float
    contained: float


def marks_of(table: pa.Table) -> Iterator[Marks]:
    """The marks of the documents of one shard. Raises ArtifactError where a column is missing."""
    yield from map(Marks, *(column(table, name) for name in Marks._fields))


def split_of(marks: Marks, group: str, validation: frozenset[str]) -> str | None:
    """The split of one document. Held-out documents test, all others teach.

    Near copies of held-out documents go nowhere, nor do held-out ones that others contain.
    """
    if marks.held_out == 1:
        return TEST if marks.contained < NEAR else None
    if marks.near_copy >= NEAR:
        return None
    return VALIDATION if group in validation else TRAIN


def validation_groups(groups: Iterable[str], fraction: float, seed: int) -> frozenset[str]:
    """``fraction`` of the groups, rounded up, by rank; none where there are fewer than two."""
    known = sorted(dict.fromkeys(groups), key=lambda group: rank(seed, "validation", group))
    most = math.ceil(fraction * len(known)) if len(known) > 1 else 0
    return frozenset(known[: min(most, len(known) - 1)] if known else ())


def column(table: pa.Table, name: str) -> Sequence[float]:
    """The numbers of ``hold_out@<any version>.name``. Raises ArtifactError where it is missing."""
    for held in table.column_names:
        tagger, _, attribute = held.partition(".")
        if tagger.partition("@")[0] == "hold_out" and attribute == name:
            return [float(v or 0) for v in table.column(held).to_pylist()]
    raise ArtifactError(
        f"these attributes have no column hold_out.{name}; give the output of data.hold_out"
    )


class Walls:
    """The split of every document of a corpus, from the attributes of data.hold_out."""

    def __init__(
        self, corpus: Corpus, heldout: Attributes, by: str, validation: float, seed: int
    ) -> None:
        self.corpus, self.heldout, self.by = corpus, heldout, by
        self.validation: frozenset[str] = frozenset()
        teaching = [group_of(placed.document, by) for placed in self if placed.split == TRAIN]
        self.validation = validation_groups(teaching, validation, seed)

    def __iter__(self) -> Iterator[Placed]:
        for shard in self.corpus.shards:
            table = self.heldout.read(shard)
            for document, marks in zip(self.corpus.read(shard), marks_of(table), strict=True):
                group = group_of(document, self.by)
                yield Placed(document, split_of(marks, group, self.validation))
