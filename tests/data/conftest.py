"""Small corpora: made by the real verbs from a few lines each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec
import pytest

from olmeda.artifacts.corpus import Corpus
from olmeda.data.read import ReadConfig, read

MakeCorpus = Callable[..., Corpus]


@pytest.fixture
def make_corpus(tmp_path: Path) -> MakeCorpus:
    """``make_corpus({"id": "text"}, other={...})``: one source ``main``, and one a keyword.

    A value may be a text or a mapping with text and metadata.
    """

    def make(
        main: Mapping[str, object],
        shares: Mapping[str, float] | None = None,
        shard_bytes: int = 1 << 20,
        **others: Mapping[str, object],
    ) -> Corpus:
        sources = []
        folder = tmp_path / f"made-{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        for name, documents in {"main": main, **others}.items():
            lines = [
                {"id": id, **(value if isinstance(value, dict) else {"text": value})}
                for id, value in documents.items()
            ]
            file = folder / f"{name}.jsonl"
            file.write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))
            sources.append({"name": name, "kind": "files", "path": file})
            if shares:
                sources[-1]["share"] = shares[name]
        config = ReadConfig(sources=sources, shard_bytes=shard_bytes)
        return Corpus.open(read(config, folder / "corpus"))

    return make
