"""A tiny corpus with held-out documents, and tiny models that can score."""

from __future__ import annotations

from pathlib import Path
from pydoc_data.topics import topics

import pyarrow as pa
import pytest
import torch

from olmeda.artifacts.corpus import AttributesWriter, Corpus, CorpusWriter, Document
from olmeda.artifacts.lineage import Plan, record
from olmeda.base.config import Config
from olmeda.model import hf
from olmeda.model.config import load_preset
from olmeda.model.reward import RewardModel, save_reward
from olmeda.model.transformer import Transformer
from olmeda.tokens.train import TrainConfig, train

SHAPE = {"vocab_size": 300, "width": 16, "layers": 2, "heads": 2, "sequence": 64}

MODULE = '''
def clamp_{n}(value, low, high=None):
    """Limit value to the range from low to high, for case {n}."""
    if high is not None and value > high:
        return high
    if value < low or value == {n}:
        return low
    return value + {n}


def total_{n}(items, start=0):
    """Add up items beginning with start, for case {n}."""
    total = start - {n}
    for item in items:
        total += item * {n}
    return total
'''


def module(n: int) -> Document:
    """A Python module with two functions."""
    return Document(f"code/m{n}.py", MODULE.format(n=n), "code", metadata={"language": "python"})


def note(n: int) -> Document:
    """A note of three paragraphs of prose."""
    days = [
        f"On morning {n}{day} the travellers counted the {thing} and wrote the number down. "
        f"Nobody in the village could say who had left the {thing} there. "
        f"By evening of day {n}{day} the weather had turned and they went home."
        for day, thing in enumerate(("lanterns", "baskets", "letters"))
    ]
    return Document(f"notes/n{n}", "\n\n".join(days), "notes")


def write_corpus(folder: Path, documents: list[Document], near: str = "") -> tuple[Path, Path]:
    """A corpus and its hold-out: every fifth document of a source tests; ``near`` is a copy."""
    for name, kind in (("corpus", "corpus"), ("heldout", "attributes")):
        plan = Plan.of(f"test.{name}", kind, Config())
        with record(folder / name, plan, resumable=False, replace=False) as making:
            if kind == "corpus":
                with CorpusWriter(making.path) as writer:
                    for document in documents:
                        writer.write(document)
                continue
            corpus = Corpus.open(folder / "corpus")
            columns = AttributesWriter(making.path, corpus)
            for shard in corpus.shards:
                ids = [d.id for d in corpus.read(shard)]
                columns.write(shard, pa.table({
                    "id": ids,
                    "hold_out@1.held_out": [float(i % 5 == 0) for i in range(len(ids))],
                    "hold_out@1.near_copy": [float(i == near) for i in ids],
                    "hold_out@1.contained": [0.0 for _ in ids],
                }))  # fmt: skip
            columns.close()
    return folder / "corpus", folder / "heldout"


@pytest.fixture(scope="session")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A byte-level tokenizer of 300 ids."""
    folder = tmp_path_factory.mktemp("tokenizer")
    documents = [Document(n, t, "topics") for n, t in sorted(topics.items())[:4]]
    corpus, _ = write_corpus(folder, documents)
    return train(TrainConfig(corpus=corpus, vocab_size=300), folder / "tokenizer")


@pytest.fixture(scope="session", params=["tour-dense", "tour-moe"])
def family(request: pytest.FixtureRequest) -> str:
    """A dense preset and one with experts."""
    return str(request.param)


def tiny(preset: str, seed: int) -> Transformer:
    """A model with random weights, large enough that its answers differ."""
    config = load_preset(preset, **SHAPE, mlp_width=24, init_std=0.3)
    return Transformer.initialised(config, seed).eval()


@pytest.fixture(scope="session")
def models(
    family: str, tokenizer: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """A policy, its reference and a reward model, as checkpoints."""
    folder = tmp_path_factory.mktemp("models")
    for name, seed in (("policy", 1), ("reference", 2)):
        hf.save(tiny(family, seed), folder / name, tokenizer)
    reward = RewardModel(tiny(family, 3))
    torch.nn.init.normal_(reward.score.weight, generator=torch.Generator().manual_seed(4))
    save_reward(reward, folder / "reward", tokenizer)
    return {name: folder / name for name in ("policy", "reference", "reward")}
