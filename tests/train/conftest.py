"""A small real token set with a held-out one, and tiny models."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from pydoc_data.topics import topics
from typing import Any

import pytest

from olmeda.artifacts.corpus import CorpusWriter, Document
from olmeda.artifacts.lineage import Plan, record
from olmeda.base.config import Config
from olmeda.tokens.encode import EncodeConfig, encode
from olmeda.tokens.train import TrainConfig, train
from olmeda.train.batches import InstanceBatches


class Named(Config, frozen=True):
    name: str


def write_corpus(out: Path, documents: Iterable[Document]) -> Path:
    """Make a corpus artifact from documents, as data.read would."""
    plan = Plan.of("data.read", "corpus", Named(name=out.name))
    with record(out, plan, resumable=False, replace=False) as making:
        with CorpusWriter(making.path) as writer:
            for document in documents:
                writer.write(document)
    return out


def split(odd: int) -> list[Document]:
    """Half of some topics of the language reference, as two sources."""
    chosen = sorted(topics.items())[odd:16:2]
    return [Document(f"t/{n}", t, ("long", "short")[len(t) < 4000]) for n, t in chosen]


@pytest.fixture(scope="session")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """``tokens`` to train on and ``heldout``, of one tokenizer with 400 ids."""
    folder = tmp_path_factory.mktemp("tokens")
    corpora = {name: write_corpus(folder / f"{name}-text", split(odd))
               for odd, name in enumerate(("tokens", "heldout"))}  # fmt: skip
    tokenizer = train(TrainConfig(corpus=corpora["tokens"], vocab_size=400), folder / "tokenizer")
    return {
        name: encode(EncodeConfig(corpus=text, tokenizer=tokenizer), folder / name)
        for name, text in corpora.items()
    }


SHAPE = {"vocab_size": 400, "width": 16, "layers": 2, "heads": 2, "mlp_width": 24, "sequence": 32}
MODELS = {
    "dense": SHAPE,
    "moe": {**SHAPE, "norm_place": "before", "experts": {"count": 4, "chosen": 2}},
}


def at_step(step: int, do: Any) -> Any:
    """``InstanceBatches.at`` that does something before it gives the batch of one step."""
    plain = InstanceBatches.at

    def at(self: InstanceBatches, number: int) -> Any:
        if number == step:
            do()
        return plain(self, number)

    return at
