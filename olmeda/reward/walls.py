"""The documents that may teach and those that test, drawn by rank, so many of each source."""

from __future__ import annotations

from dataclasses import dataclass, field

from olmeda.artifacts.corpus import Attributes, Corpus, Document
from olmeda.instruct.draw import Draw, rank
from olmeda.instruct.split import TEST, TRAIN, column, split_of


@dataclass(frozen=True)
class Documents:
    """Documents of one split in the order of their ranks, all sources mixed."""

    train: list[Document] = field(default_factory=list)
    test: list[Document] = field(default_factory=list)


def drawn(corpus: Corpus, heldout: Attributes, per_source: int, seed: int) -> Documents:
    """At most ``per_source`` documents of each source for each split.

    Held-out documents test; those that nearly copy one do neither; all others teach.
    """
    draws: dict[tuple[str, str], Draw[Document]] = {}
    for shard in corpus.shards:
        table = heldout.read(shard)
        marks = zip(column(table, "held_out"), column(table, "near_copy"))
        for document, (held_out, near_copy) in zip(corpus.read(shard), marks, strict=True):
            split = split_of(held_out, near_copy, "", frozenset())
            if split is not None:
                draw = draws.setdefault((split, document.source), Draw(per_source))
                draw.offer(rank(seed, document.id), document)
    mixed: dict[str, list[tuple[int, Document]]] = {TRAIN: [], TEST: []}
    for (split, _), draw in draws.items():
        mixed[split] += draw.ranked()
    ordered = {s: [d for _, d in sorted(rows, key=lambda r: r[0])] for s, rows in mixed.items()}
    return Documents(ordered[TRAIN], ordered[TEST])
