"""Real task instances about made-up modules, a tokenizer for them, and a model with no training."""

from __future__ import annotations

from pathlib import Path

import pytest

from instruct.corpora import ByHand, module, write_corpus, write_heldout
from olmeda.artifacts.lineage import Plan, record
from olmeda.instruct.build import BuildConfig, build
from olmeda.model import hf
from olmeda.model.config import ModelConfig
from olmeda.model.transformer import Transformer
from olmeda.tokens.encode import EncodeConfig, encode
from olmeda.tokens.train import TrainConfig, train

TASKS = {
    "classification": ["python_kind"],
    "naming": ["python_name"],
    "extraction": ["python_parameters"],
    "generation": ["python_summary"],
}
SHAPE = {"vocab_size": 500, "width": 16, "layers": 2, "heads": 2, "mlp_width": 24, "sequence": 256}


class World:
    """Where everything lies."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.corpus = write_corpus(home / "corpus", [module(n) for n in range(18)])
        held = [f"code/module{n}.py" for n in range(0, 18, 6)]
        heldout = write_heldout(home / "heldout", self.corpus, lambda d: d.id in held)
        least = {"train": 5, "test": 2}
        build(
            BuildConfig(corpus=self.corpus, heldout=heldout, tasks=TASKS, least=least, seed=1),
            home / "instances",
        )
        self.instances = home / "instances"
        self.tokenizer = train(TrainConfig(corpus=self.corpus, vocab_size=500), home / "tokenizer")
        self.tokens = encode(
            EncodeConfig(corpus=self.corpus, tokenizer=self.tokenizer), home / "tokens"
        )

    def model(self, name: str, seed: int, **shape: int) -> Path:
        """An untrained checkpoint."""
        folder = self.home / name
        if not folder.exists():
            config = ModelConfig(**{**SHAPE, **shape})
            hf.save(Transformer.initialised(config, seed), folder, self.tokenizer)
        return folder

    def sweep(self, name: str, seeds: dict[str, int]) -> Path:
        """A sweep artifact of untrained checkpoints."""
        plan = Plan.of("test.sweep", "sweep", ByHand())
        with record(self.home / name, plan, resumable=False, replace=True) as making:
            for sub, seed in seeds.items():
                config = ModelConfig(**SHAPE)
                hf.save(Transformer.initialised(config, seed), making.path / sub, self.tokenizer)
        return self.home / name


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("evals"))
