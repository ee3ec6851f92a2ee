"""data.tag: one pass over a corpus in which every chosen tagger measures every document."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Annotated, Any

import pyarrow as pa
from pydantic import AfterValidator, BeforeValidator, Field

from olmeda.artifacts.corpus import AttributesWriter, Corpus, Shard
from olmeda.artifacts.lineage import Making
from olmeda.artifacts.verb import verb
from olmeda.base.config import ArtifactPath, Config, Workers
from olmeda.base.errors import ConfigError
from olmeda.base.log import progress
from olmeda.base.registry import Spec
from olmeda.base.workers import ordered_map
from olmeda.data.batch import TextBatch, batches
from olmeda.data.columns import Column, arrow_table, join_columns
from olmeda.data.registries import tagger

TaggerSpec = Annotated[Spec, BeforeValidator(Spec.of), AfterValidator(tagger.known)]


class TagConfig(Config, frozen=True):
    """Which corpus, and which taggers with which parameters (``gopher`` or ``{name: c4, …}``).

    ``workers`` is the number of processes; the attributes do not depend on it.
    """

    corpus: ArtifactPath
    taggers: list[TaggerSpec] = Field(min_length=1)
    workers: Workers = 1


@verb("data.tag", makes="attributes")
def tag(config: TagConfig, making: Making) -> None:
    """Measure every document with the chosen taggers."""
    bind_all(config.taggers)
    corpus = Corpus.open(config.corpus)
    out = AttributesWriter(making.path, corpus)
    work = functools.partial(tag_shard, corpus, config.taggers)
    tables = ordered_map(work, corpus.shards, config.workers)
    shown = progress(zip(corpus.shards, tables), "tag", len(corpus.shards))
    for shard, table in shown:
        out.write(shard, table)
        making.counts["attributes"] = table.num_columns - 1
    out.close()
    making.counts["documents"] = corpus.documents
    making.counts["bytes"] = corpus.bytes


def bind_all(specs: Sequence[Spec]) -> dict[str, Callable[[TextBatch], Mapping[str, Column]]]:
    """``tagger@version`` -> the tagger with its parameters. Raises ConfigError for a repetition."""
    twice = [name for name, times in Counter(s.name for s in specs).items() if times > 1]
    if twice:
        raise ConfigError(f"taggers: {twice[0]!r} stands twice; its attributes would collide")
    return {f"{s.name}@{tagger.get(s.name).version}": tagger.bind(s) for s in specs}


def tag_shard(corpus: Corpus, specs: Sequence[Spec], shard: Shard) -> pa.Table:
    """The attributes of one shard's documents; the texts are gone through once, in batches."""
    taggers = bind_all(specs)
    ids: list[str] = []

    def texts() -> Iterator[str]:
        for document in corpus.read(shard):
            ids.append(document.id)
            yield document.text

    parts = [measure(batch, taggers) for batch in batches(texts())]
    return arrow_table(ids, join_columns(parts))


def measure(texts: TextBatch, taggers: Mapping[str, Callable[..., Any]]) -> dict[str, Column]:
    """Every tagger's columns for one batch, named ``tagger@version.attribute``."""
    return {
        f"{name}.{attribute}": column
        for name, function in taggers.items()
        for attribute, column in function(texts).items()
    }
