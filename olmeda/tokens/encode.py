"""Encode a corpus into memory-mapped ids with a table of documents."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import polars as pl
from pydantic import Field, field_validator

from olmeda.artifacts.checkpoint import copy_tokenizer
from olmeda.artifacts.corpus import Corpus, Light, Shard
from olmeda.artifacts.lineage import Making
from olmeda.artifacts.shardwise import over_shards
from olmeda.artifacts.tokenset import (
    TokenIndex,
    TokenShard,
    dtype_for,
    tokenizer_digest,
    write_index,
)
from olmeda.artifacts.verb import verb
from olmeda.base.config import ONE, ArtifactPath, Config, Workers
from olmeda.base.errors import InputError
from olmeda.base.files import remove_tree
from olmeda.tokens.parts import SCRATCH, PartsWriter, described, park, parked, with_ends
from olmeda.tokens.shuffle import Encoded, shuffled
from olmeda.tokens.tokenizer import EngineName, Tokenizer

SHARD_TOKENS = 1 << 28
"""Tokens of a file: half a gigabyte of uint16."""
UNBOUNDED = 1 << 62
CHECKED_CHARACTERS = 4096
"""So much of a document is compared: the tokenizers library reads some 2 MB a second."""


class EncodeConfig(Config, frozen=True):
    """Settings of ``tokens.encode``."""

    corpus: ArtifactPath
    tokenizer: ArtifactPath
    """A folder with ``tokenizer.json`` and ``tokenizer_config.json``, or the first of these."""
    workers: Workers = ONE
    """The result does not depend on their number."""
    engine: EngineName = "gigatoken"
    """``tokenizers`` is some hundred times slower and the definition of what is right."""
    checked: int = Field(16, ge=0)
    """Documents of each shard that are encoded again by the tokenizers library and compared."""
    shard_tokens: int = Field(SHARD_TOKENS, ge=1)
    """The most that a file of ids holds; a longer document goes on in the next file."""
    shuffle: int | None = None
    """A seed: documents come in an order drawn by lot over the whole set. Otherwise as read."""

    @field_validator("tokenizer")
    @classmethod
    def _is_the_folder(cls, tokenizer: Path) -> Path:
        return tokenizer.parent if tokenizer.name == "tokenizer.json" else tokenizer


class ShardTokens(msgspec.Struct, frozen=True):
    """What one shard of text became; ``empty`` documents are their end token."""

    shards: list[TokenShard]
    documents: int
    tokens: int
    bytes: int
    empty: int


@dataclass(frozen=True)
class Job:
    """What a worker needs to encode any shard of ``corpus``."""

    corpus: Corpus
    tokenizer: Path
    digest: str
    engine: EngineName
    checked: int
    dtype: str
    most: int


@verb("tokens.encode", makes="tokenset", resumable=True)
def encode(config: EncodeConfig, making: Making) -> None:
    """Encode a corpus into memory-mapped tokens."""
    corpus = Corpus.open(config.corpus)
    if not corpus.documents:
        raise InputError(f"{config.corpus}: no documents to encode; look at its funnel.json")
    digest = tokenizer_digest(config.tokenizer)
    tokenizer = _opened(config.tokenizer, config.engine, digest)
    dtype, scratch = dtype_for(tokenizer.vocab_size), making.path / SCRATCH
    whole = config.shuffle is not None
    most = UNBOUNDED if whole else config.shard_tokens
    job = Job(corpus, config.tokenizer, digest, config.engine, config.checked, dtype, most)
    done = over_shards(
        making,
        corpus.shards,
        functools.partial(encode_shard, job, not whole),
        config.workers,
        label="encoding shards",
        result=ShardTokens,
    )
    shards = [part for found in done for part in found.shards]
    tables = [parked(making.path, s.name) for s in corpus.shards]
    if config.shuffle is not None:
        encoded = Encoded(scratch, [d.documents for d in done], tables, dtype)
        shards, tables = shuffled(
            making, encoded, config.shuffle, config.shard_tokens, config.workers
        )
    special = {"bos": tokenizer.bos, "eos": tokenizer.eos, "pad": tokenizer.pad}
    copy_tokenizer(config.tokenizer, making.path / "tokenizer")
    index = TokenIndex(dtype, tokenizer.vocab_size, tokenizer.digest, special, shards)
    write_index(making.path, index, (pl.read_parquet(t) for t in tables))
    remove_tree(scratch)
    making.counts |= counts(corpus, done)


def counts(corpus: Corpus, done: Sequence[ShardTokens]) -> dict[str, int | float]:
    """What the record tells: tokens and documents in all, tokens by source, bytes of a token."""
    tokens = {
        source: sum(d.tokens for s, d in zip(corpus.shards, done) if s.source == source)
        for source in corpus.sources
    }
    size = sum(d.bytes for d in done)
    return {
        "tokens": sum(tokens.values()),
        "documents": sum(d.documents for d in done),
        "empty_documents": sum(d.empty for d in done),
        **{f"tokens_{source}": count for source, count in tokens.items()},
        "bytes_per_token": round(size / sum(tokens.values()), 4),
    }


@functools.lru_cache(maxsize=1)
def _opened(folder: Path, engine: EngineName, digest: str) -> Tokenizer:
    """One tokenizer a process: its cache of words serves all shards. ``digest`` is its content."""
    return Tokenizer.open(folder, engine)


def encode_shard(job: Job, final: bool, shard: Shard, folder: Path) -> ShardTokens:
    """Write the ids of one shard of text, and its rows of the table of documents.

    ``final``: the files are content; otherwise they wait below the scratch folder.
    """
    tokenizer = _opened(job.tokenizer, job.engine, job.digest)
    file = job.corpus.file(shard)
    line = 1
    home = folder if final else folder / SCRATCH
    with PartsWriter(home, shard.name, shard.source, job.dtype, job.most) as out:
        for block in job.corpus.blocks(shard):
            ids_N, offsets = tokenizer.encode_flat([d.text for d in block])
            for place in _sample(line, len(block), shard.documents, job.checked):
                ids = ids_N[offsets[place] : offsets[place + 1]]
                _compare(tokenizer, block[place], ids, f"{file}:{line + place}")
            documents = described(
                [d.id for d in block],
                [shard.source] * len(block),
                [len(d.text.encode()) for d in block],
                [file.relative_to(job.corpus.path).as_posix()] * len(block),
                range(line, line + len(block)),
            )
            flat_N = with_ends(ids_N, offsets, tokenizer.eos, job.dtype)
            out.write(flat_N, np.diff(offsets) + 1, documents)
            line += len(block)
    if line - 1 != shard.documents:
        raise InputError(
            f"{file}: {line - 1} documents, not {shard.documents} as the corpus says; a line may "
            "be blank: read the text again with data.read"
        )
    table = out.table
    park(table, folder, shard.name)
    empty = table.filter(piece=0, bytes=0)
    tokens = sum(s.tokens for s in out.shards)
    return ShardTokens(out.shards, line - 1, tokens, int(table["bytes"].sum()), len(empty))


def _sample(line: int, block: int, documents: int, checked: int) -> range:
    """Places in a block, of documents that are compared: every n-th of the shard."""
    every = max(1, documents // max(1, checked))
    return range(-(line - 1) % every, block if checked else 0, every)


def _compare(tokenizer: Tokenizer, document: Light, ids: np.ndarray, where: str) -> None:
    """Raise InputError where the tokenizers library gives a document (its beginning) other ids."""
    text = document.text
    if len(text) > CHECKED_CHARACTERS:
        text = text[:CHECKED_CHARACTERS]
        ids = tokenizer.encode_batch([text])[0]
    if not np.array_equal(ids, tokenizer.encode_reference([text])[0]):
        raise InputError(
            f"{where}: document {document.id}: gigatoken and tokenizers encode it differently; "
            "say engine=tokenizers"
        )
