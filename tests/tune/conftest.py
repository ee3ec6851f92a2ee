"""A tiny base checkpoint with a tokenizer, conversations and trios to tune it on."""

from __future__ import annotations

from pathlib import Path
from pydoc_data.topics import topics

import pytest

from olmeda.artifacts.corpus import CorpusWriter, Document
from olmeda.artifacts.examples import Conversation, Message, Trio
from olmeda.artifacts.lineage import Plan, record
from olmeda.base.config import Config
from olmeda.base.files import write_rows
from olmeda.tokens.encode import EncodeConfig, encode
from olmeda.tokens.train import TrainConfig, train
from olmeda.train.run import RunConfig, run

SHAPE = {"vocab_size": 300, "width": 16, "layers": 2, "heads": 2, "mlp_width": 24, "sequence": 48}
WORDS = ("and", "assert", "break", "class", "del", "else", "for", "if", "in", "lambda", "not", "or")


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of 2 layers after 4 steps."""
    folder = tmp_path_factory.mktemp("base")
    plan = Plan.of("data.read", "corpus", Config())
    with record(folder / "corpus", plan, resumable=False, replace=False) as making:
        with CorpusWriter(making.path) as writer:
            for name, text in sorted(topics.items())[:5]:
                writer.write(Document(name, text, "topics"))
    tokenizer = train(TrainConfig(corpus=folder / "corpus", vocab_size=300), folder / "tokenizer")
    tokens = encode(EncodeConfig(corpus=folder / "corpus", tokenizer=tokenizer), folder / "tokens")
    loop = {"steps": 4, "batch_tokens": 192, "sequence": 48}
    values = {"tokens": tokens, "model": SHAPE, "loop": loop}
    return run(RunConfig.model_validate(values), folder / "model")


@pytest.fixture(scope="session")
def conversations(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve short questions, one too long, one without an answer, as a plain file."""
    rows = [
        Conversation("spell", w, [Message("user", f"say {w}"), Message("assistant", w * (i % 4))])
        for i, w in enumerate(WORDS)
    ]
    rows.append(Conversation("spell", "long", [Message("assistant", "long " * 60)]))
    rows.append(Conversation("spell", "mute", [Message("user", "and?")]))
    file = tmp_path_factory.mktemp("conversations") / "rows.jsonl"
    write_rows(file, rows)
    return file


@pytest.fixture(scope="session")
def trios(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve preferences for yes over no, one tie, one too long."""
    rows = [Trio(w, f"say {w}", f"yes {w}", f"no {w}", "words", "chat") for w in WORDS]
    rows.append(Trio("tie", "say it", "it", "it", "words", "chat"))
    rows.append(Trio("long", "say it", "it " * 60, "it", "words", "chat"))
    file = tmp_path_factory.mktemp("trios") / "rows.jsonl"
    write_rows(file, rows)
    return file
