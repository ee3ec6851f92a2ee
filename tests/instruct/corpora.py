"""Corpora and hold-outs written by hand for tests, with real lineage."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pyarrow as pa

from olmeda.artifacts.corpus import Attributes, AttributesWriter, Corpus, CorpusWriter, Document
from olmeda.artifacts.lineage import Plan, record
from olmeda.base.config import Config


class ByHand(Config, frozen=True):
    """No settings: the artifact was written by a test."""


def write_corpus(out: Path, documents: Iterable[Document]) -> Path:
    plan = Plan.of("test.corpus", "corpus", ByHand())
    with record(out, plan, resumable=False, replace=False) as making:
        with CorpusWriter(making.path) as writer:
            for document in documents:
                writer.write(document)
    return out


def write_heldout(
    out: Path,
    corpus: Path,
    held_out: Callable[[Document], bool],
    near_copy: Callable[[Document], float] = lambda document: 0.0,
    contained: Callable[[Document], float] = lambda document: 0.0,
) -> Path:
    """Attributes as data.hold_out writes them."""
    opened = Corpus.open(corpus)
    plan = Plan.of("test.hold_out", "attributes", ByHand())
    with record(out, plan, resumable=False, replace=False) as making:
        writer = AttributesWriter(making.path, opened)
        for shard in opened.shards:
            documents = list(opened.read(shard))
            writer.write(shard, pa.table({
                "id": [d.id for d in documents],
                "hold_out@1.held_out": [float(held_out(d)) for d in documents],
                "hold_out@1.near_copy": [float(near_copy(d)) for d in documents],
                "hold_out@1.contained": [float(contained(d)) for d in documents],
                "hold_out@1.nearest": pa.array([None] * len(documents), pa.string()),
            }))  # fmt: skip
        writer.close()
    Attributes.open(out, opened)
    return out


VERBS = ("load", "save", "parse", "merge", "count", "split", "open", "close")
NOUNS = ("table", "stream", "header", "record", "field", "index", "token", "buffer")


def module(number: int) -> Document:
    """A Python module of eight functions; no two modules have one in common."""
    parts = []
    for place, verb in enumerate(VERBS):
        noun = NOUNS[(number + place) % len(NOUNS)]
        name = f"{verb}_{noun}_{number}"
        body = (
            f"    return {noun} + {number}",
            f"    if not {noun}:\n        raise ValueError({number})\n    return {noun}",
            f"    {noun}.append({number})",
        )[place % 3]
        docstring = (
            f'    """{verb.title()} the {noun} number {number}.\n\n'
            f'    It takes the {noun} and its size, and nothing else at all.\n    """\n'
        )
        parts.append(f"def {name}({noun}, size{number}=None):\n{docstring}{body}\n")
    metadata = {"module": f"module{number}", "language": "python"}
    return Document(f"code/module{number}.py", "\n\n".join(parts), "code", metadata=metadata)


def note(number: int) -> Document:
    """A note in Markdown of three paragraphs under headings, none like another's."""
    town = ("Lisbon", "Oslo", "Quito", "Riga", "Hanoi", "Accra")[number % 6]
    text = f"# Journey number {number} to {town}\n\n" + "\n\n".join(
        f"On day {day * 7 + number} we left {town} before the sun was up. "
        f"The road of journey {number * 10 + day} was long and quiet. "
        f"Nobody in the small boat spoke until the lamps of station {day} went out behind us. "
        f"Later that morning on trip {number} we told the story again to all of {day} guests."
        for day in range(3)
    )
    return Document(f"notes/{number}.md", text, "notes")
