"""TokenSet: memory-mapped token ids with document offsets, bound to one tokenizer.

Layout::

    tokens.json             dtype, vocabulary size, tokenizer digest, special ids, shards
    tokenizer/              tokenizer.json and its configuration, as transformers reads them
    shards/<name>.bin       little-endian ids, no header (numpy.memmap opens it)
    documents.parquet       shard, start, end (token offsets, end token included), id, source, bytes
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import polars as pl

from olmeda.artifacts.lineage import check
from olmeda.base.errors import ArtifactError
from olmeda.base.files import atomic_write, digest_file, read_json, write_json


class TokenShard(msgspec.Struct, frozen=True):
    """One file of ids: name without ending, source, number of tokens and of documents."""

    name: str
    source: str
    tokens: int
    documents: int


class TokenIndex(msgspec.Struct, frozen=True):
    """The content of ``tokens.json``; ``special`` maps bos, eos, pad to ids."""

    dtype: str
    vocab_size: int
    tokenizer_digest: str
    special: dict[str, int]
    shards: list[TokenShard]


def tokenizer_digest(folder: Path) -> str:
    """The identity of a tokenizer: the digest of its ``tokenizer.json``."""
    file = folder / "tokenizer.json"
    if not file.is_file():
        raise ArtifactError(f"{file}: no such file; a tokenizer folder holds tokenizer.json")
    return digest_file(file)


def dtype_for(vocab_size: int) -> str:
    """The smallest unsigned type that holds every id, at least uint16 (Dolma's rule from there)."""
    return "uint16" if vocab_size <= 1 << 16 else "uint32"


@dataclass(frozen=True)
class TokenSet:
    """A finished token set. Raises ArtifactError at open where files and index disagree."""

    path: Path
    digest: str
    index: TokenIndex
    documents: pl.DataFrame

    @classmethod
    def open(cls, path: Path) -> TokenSet:
        record = check(path, "tokenset")
        index = read_json(path / "tokens.json", TokenIndex)
        if tokenizer_digest(path / "tokenizer") != index.tokenizer_digest:
            raise ArtifactError(f"{path}: its tokenizer is not the one that made the tokens")
        item = np.dtype(index.dtype).itemsize
        for shard in index.shards:
            size = (path / "shards" / f"{shard.name}.bin").stat().st_size
            if size != shard.tokens * item:
                raise ArtifactError(
                    f"{path}/shards/{shard.name}.bin: {size} bytes, not {shard.tokens} x {item}"
                )
        return cls(path, record.digest, index, pl.read_parquet(path / "documents.parquet"))

    @property
    def tokenizer(self) -> Path:
        """The folder of the tokenizer."""
        return self.path / "tokenizer"

    @property
    def tokens(self) -> int:
        return sum(s.tokens for s in self.index.shards)

    @property
    def sources(self) -> list[str]:
        return list(dict.fromkeys(s.source for s in self.index.shards))

    def ids(self, shard: TokenShard) -> np.ndarray:
        """The ids of one shard, memory-mapped, read-only."""
        file = self.path / "shards" / f"{shard.name}.bin"
        if shard.tokens == 0:
            return np.empty(0, np.dtype(self.index.dtype))
        return np.memmap(file, np.dtype(self.index.dtype), "r")

    def require_tokenizer(self, digest: str, who: str) -> None:
        """Raise ArtifactError unless these tokens were made with the tokenizer ``digest``."""
        if digest != self.index.tokenizer_digest:
            raise ArtifactError(
                f"{self.path}: made with another tokenizer than {who}; encode the text again "
                "with that tokenizer"
            )


def write_index(folder: Path, index: TokenIndex, documents: pl.DataFrame) -> None:
    """Write ``tokens.json`` and ``documents.parquet`` of a token set in the making."""
    with atomic_write(folder / "documents.parquet") as temporary:
        documents.write_parquet(temporary, compression="zstd")
    write_json(folder / "tokens.json", index)
