"""The documents that may teach and those that test, drawn by rank, so many of each source."""

from __future__ import annotations

from dataclasses import dataclass, field

from olmeda.artifacts.corpus import Attributes, Corpus, Document
from olmeda.instruct.draw import Draw, rank
from olmeda.instruct.split import TEST, TRAIN, marks_of, split_of


@dataclass(frozen=True)
class Documents:
    """Documents of one split in the order of their ranks, all sources mixed."""

    train: list[Document] = field(default_factory=list)
    test: list[Document] = field(default_factory=list)


def drawn(corpus: Corpus, heldout: Attributes, per_source: int, seed: int) -> Documents:
    """At most ``per_source`` documents of each source for each split.

    Held-out documents test, all others teach; near copies on either side do neither.
    """
    draws: dict[tuple[str, str], Draw[Document]] = {}
    for shard in corpus.shards:
        table = heldout.read(shard)
        for document, marks in zip(corpus.read(shard), marks_of(table), strict=True):
            split = split_of(marks, "", frozenset())
            if split is not None:
                draw = draws.setdefault((split, document.source), Draw(per_source))
                draw.offer(rank(seed, document.id), document)
    mixed: dict[str, list[tuple[int, Document]]] = {TRAIN: [], TEST: []}
    for (split, _), draw in draws.items():
        mixed[split] += draw.ranked()
    ordered = {s: [d for _, d in sorted(rows, key=lambda r: r[0])] for s, rows in mixed.items()}
    return Documents(ordered[TRAIN], ordered[TEST])
