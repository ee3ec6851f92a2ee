"""data.hold_out: set whole groups of documents aside, and find what is nearly a copy of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from pydantic import Field

from olmeda.artifacts.corpus import AttributesWriter, Corpus, Document
from olmeda.artifacts.lineage import Making
from olmeda.artifacts.verb import verb
from olmeda.base.config import ArtifactPath, Config
from olmeda.base.errors import InputError
from olmeda.base.log import progress
from olmeda.data.columns import arrow_table
from olmeda.data.lottery import draw
from olmeda.data.near import NgramIndex

NAME = "hold_out@1"


class NearCopies(Config, frozen=True):
    """A document is a near-copy if one held-out document has ``overlap`` of its ``words``-grams.

    The share itself is an attribute whatever ``overlap`` is; ``nearest`` names the held-out
    document only from ``overlap`` on. The other way round, ``contained`` is how much of a held-out
    document stands in one that is neither held out nor a near-copy: a chapter quoted whole by a
    book tests nothing, yet the book is no near-copy of the chapter.
    """

    words: int = Field(default=8, ge=1)
    overlap: float = Field(default=0.3, gt=0, le=1)


class HoldOutConfig(Config, frozen=True):
    """Which share of groups is held out; a group is the documents with one ``by`` in the metadata.

    A document without that key is a group of its own, by its id.
    """

    corpus: ArtifactPath
    by: str = ""
    fraction: float = Field(gt=0, lt=1)
    near: NearCopies | None = NearCopies()
    seed: int = 0


@dataclass(frozen=True)
class Row:
    """What choosing needs to know of a document."""

    id: str
    source: str
    group: str


@verb("data.hold_out", makes="attributes")
def hold_out(config: HoldOutConfig, making: Making) -> None:
    """Choose held-out documents and find near-copies."""
    corpus = Corpus.open(config.corpus)
    rows = [Row(d.id, d.source, group_of(d, config.by)) for d in corpus]
    groups = choose_groups(rows, config.fraction, config.seed, config.by)
    held = [row for row in rows if groups[row.group]]
    near = config.near
    index = NgramIndex.of([d.text for d in corpus if groups[group_of(d, config.by)]],
                          near.words) if near else None  # fmt: skip
    out, copies = AttributesWriter(making.path, corpus), 0
    tables: list[pa.Table] = []
    contained = np.zeros(len(held))
    for shard in progress(corpus.shards, "hold out", len(corpus.shards)):
        documents = list(corpus.read(shard))
        flags = np.array([groups[group_of(d, config.by)] for d in documents], np.float64)
        table = arrow_table([d.id for d in documents], {f"{NAME}.held_out": flags})
        if index is not None and near is not None:
            share, nearest = _near_columns(documents, flags, index, held, near.overlap)
            copies += int((share >= near.overlap).sum())
            table = table.append_column(f"{NAME}.near_copy", pa.array(share, pa.float64()))
            table = table.append_column(f"{NAME}.nearest", pa.array(nearest, pa.string()))
            staying = np.flatnonzero((flags == 0) & (share < near.overlap)).tolist()
            found = index.contained([documents[i].text for i in staying])
            contained = np.maximum(contained, found)
        tables.append(table)
    share_of = {row.id: float(share) for row, share in zip(held, contained)}
    for shard, table in zip(corpus.shards, tables):
        if index is not None:
            shares = [share_of.get(id, 0.0) for id in table.column("id").to_pylist()]
            table = table.append_column(f"{NAME}.contained", pa.array(shares, pa.float64()))
        out.write(shard, table)
    out.close()
    making.counts["documents"] = len(rows)
    making.counts["held_out"] = len(held)
    making.counts["groups"] = len(groups)
    making.counts["held_out_groups"] = sum(groups.values())
    making.counts["near_copies"] = copies
    if near:
        making.counts["held_out_contained"] = int((contained >= near.overlap).sum())
    for source in corpus.sources:
        making.counts[f"held_out/{source}"] = sum(row.source == source for row in held)


def group_of(document: Document, by: str) -> str:
    """The group a document belongs to: its metadata under ``by``, else its own id."""
    value = document.metadata.get(by) if by else None
    return f"{by} {value}" if value not in (None, "") else f"id {document.id}"


def choose_groups(rows: Sequence[Row], fraction: float, seed: int, by: str) -> dict[str, bool]:
    """Which groups are held out: those that draw less than ``fraction``.

    Where that leaves a source without a held-out group, its lowest draw is added. Raises
    InputError for a source of which nothing would stay.
    """
    chance = {row.group: draw(seed, row.group) for row in rows}
    chosen = {group: number < fraction for group, number in chance.items()}
    of_source: dict[str, dict[str, None]] = {}
    for row in rows:
        of_source.setdefault(row.source, {})[row.group] = None
    for groups in of_source.values():
        if not any(chosen[group] for group in groups):
            chosen[min(groups, key=lambda group: (chance[group], group))] = True
    for source, groups in of_source.items():
        if all(chosen[group] for group in groups):
            raise InputError(_nothing_stays(source, len(groups), by, fraction))
    return chosen


def _nothing_stays(source: str, groups: int, by: str, fraction: float) -> str:
    kind = f"groups (by {by!r}, else by id)" if by else "documents"
    if groups == 1:
        return (
            f"source {source}: has one of {kind} only, so nothing can be set aside and something "
            "stay; give the source more documents, split the file, or choose another by:"
        )
    return (
        f"source {source}: all its {groups} {kind} would be held out at fraction {fraction}; "
        "choose a smaller fraction or another seed"
    )


def _near_columns(
    documents: Sequence[Document],
    flags: np.ndarray,
    index: NgramIndex,
    held: Sequence[Row],
    overlap: float,
) -> tuple[np.ndarray, list[str | None]]:
    """The share of each document, 0 for held-out ones, and the id of the nearest."""
    share, nearest = index.nearest([d.text for d in documents])
    share[flags == 1] = 0.0
    return share, [
        held[number].id if value >= overlap else None for value, number in zip(share, nearest)
    ]
