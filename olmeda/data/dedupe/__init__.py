"""data.dedupe: mark exact copies; the first in input order is the one that is kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Literal

import pyarrow as pa
from pydantic import Field, model_validator

from olmeda.artifacts.corpus import AttributesWriter, Corpus, Document
from olmeda.artifacts.lineage import Making
from olmeda.artifacts.verb import verb
from olmeda.base.config import ArtifactPath, Config
from olmeda.base.log import progress
from olmeda.data.batch import batches
from olmeda.data.columns import SpanColumn, arrow_table
from olmeda.data.dedupe.documents import FirstCopies
from olmeda.data.dedupe.paragraphs import SeenHashes, duplicate_paragraphs

NAME = "copies@1"


class DocumentCopies(Config, frozen=True):
    """Look for documents with the same text. ``skip_empty``: empty texts are no copies."""

    skip_empty: bool = False


class ParagraphCopies(Config, frozen=True):
    """Look for paragraphs that stood before, in any document.

    ``separator``: what ends a paragraph, a ``newline`` or a ``blank_line``. ``min_words``: shorter
    paragraphs (braces, headings) are never copies.
    """

    separator: Literal["newline", "blank_line"] = "newline"
    min_words: int = Field(default=1, ge=1)


class DedupeConfig(Config, frozen=True):
    """Which corpus, and which copies are looked for; ``documents: {}`` takes the defaults."""

    corpus: ArtifactPath
    documents: DocumentCopies | None = None
    paragraphs: ParagraphCopies | None = None

    @model_validator(mode="after")
    def _looks_for_something(self) -> DedupeConfig:
        if self.documents is None and self.paragraphs is None:
            raise ValueError("nothing to look for; say documents: {} or paragraphs: {} or both")
        return self


@verb("data.dedupe", makes="attributes")
def dedupe(config: DedupeConfig, making: Making) -> None:
    """Find exact copies of documents and paragraphs."""
    corpus = Corpus.open(config.corpus)
    out = AttributesWriter(making.path, corpus)
    copies, seen = FirstCopies(), SeenHashes()
    counts: Counter[str] = Counter(documents=corpus.documents)
    for shard in progress(corpus.shards, "dedupe", len(corpus.shards)):
        documents = list(corpus.read(shard))
        table = arrow_table([d.id for d in documents], {})
        if config.documents:
            kept = copies.of_all(documents, config.documents.skip_empty)
            table = _with_documents(table, kept)
            counts["duplicate_documents"] += sum(k is not None for k in kept)
        if config.paragraphs:
            spans = _paragraph_spans(documents, seen, config.paragraphs)
            table = table.append_column(f"{NAME}.duplicate_paragraph", spans)
            counts["duplicate_paragraphs"] += len(spans.flatten())
        out.write(shard, table)
    out.close()
    making.counts.update(counts)


def _with_documents(table: pa.Table, kept: Sequence[str | None]) -> pa.Table:
    flags = pa.array([float(k is not None) for k in kept], pa.float64())
    table = table.append_column(f"{NAME}.duplicate_document", flags)
    return table.append_column(f"{NAME}.kept", pa.array(kept, pa.string()))


def _paragraph_spans(
    documents: Sequence[Document], seen: SeenHashes, settings: ParagraphCopies
) -> pa.Array:
    parts = [
        duplicate_paragraphs(texts, seen, settings.separator == "blank_line", settings.min_words)
        for texts in batches(d.text for d in documents)
    ]
    return SpanColumn.join(parts).arrow()
