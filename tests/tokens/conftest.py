"""A small corpus of two sources, and the tokenizer and token set made from it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from pydoc_data.topics import topics

import pytest

from olmeda.artifacts.corpus import CorpusWriter, Document
from olmeda.artifacts.lineage import Plan, record
from olmeda.base.config import Config
from olmeda.tokens.encode import EncodeConfig, encode
from olmeda.tokens.train import TrainConfig, train

ODD = ["", " ", "\n\n", "a<|endoftext|>b", "<|user|>\nhi\n<|assistant|>\n", "é漢字😀\u2028", "\0"]


def write_corpus(out: Path, documents: Iterable[Document], shard_bytes: int = 40_000) -> Path:
    """Make a corpus artifact from documents, as data.read would."""
    with record(
        out, Plan.of("data.read", "corpus", Config()), resumable=False, replace=False
    ) as making:
        with CorpusWriter(making.path, shard_bytes=shard_bytes) as writer:
            for document in documents:
                writer.write(document)
    return out


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some topics of the language reference and some odd texts, in several shards."""
    prose = [Document(f"topics/{n}", t, "topics") for n, t in sorted(topics.items())[:24]]
    odd = [Document(f"odd/{n}", t, "odd") for n, t in enumerate(ODD)]
    return write_corpus(tmp_path_factory.mktemp("corpus") / "corpus", [*prose, *odd])


@pytest.fixture(scope="session")
def tokenizer(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A byte-level BPE of 600 ids."""
    out = tmp_path_factory.mktemp("tokenizer") / "tokenizer"
    return train(TrainConfig(corpus=corpus, vocab_size=600), out)


@pytest.fixture(scope="session")
def tokenset(corpus: Path, tokenizer: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The corpus encoded."""
    out = tmp_path_factory.mktemp("tokens") / "tokens"
    return encode(EncodeConfig(corpus=corpus, tokenizer=tokenizer), out)
