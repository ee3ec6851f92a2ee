"""evals.perplexity: a uniform model needs what arithmetic says; documents add up."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from evals.conftest import SHAPE, World
from olmeda.artifacts.lineage import Lineage
from olmeda.artifacts.scores import Scores
from olmeda.artifacts.tokenset import TokenSet
from olmeda.base.errors import ArtifactError
from olmeda.evals.perplexity import PerplexityConfig, document_bits, perplexity
from olmeda.model import hf
from olmeda.model.config import ModelConfig
from olmeda.model.transformer import Transformer
from olmeda.tokens.train import TrainConfig, train


def test_a_uniform_model_needs_the_logarithm_of_its_vocabulary(
    world: World, tmp_path: Path
) -> None:
    model = Transformer.initialised(ModelConfig(**SHAPE), 1)
    with torch.no_grad():
        model.head_weight.zero_()
    hf.save(model, tmp_path / "uniform", world.tokenizer)
    systems = {"uniform": tmp_path / "uniform"}
    perplexity(PerplexityConfig(systems=systems, tokens=world.tokens), tmp_path / "out")
    frame = Scores.open(tmp_path / "out").frame
    tokens = TokenSet.open(world.tokens)
    size = int(tokens.documents["bytes"].sum())
    expected = tokens.tokens * math.log2(SHAPE["vocab_size"]) / size
    (total,) = frame.filter((pl.col("task") == "heldout") & (pl.col("item") == "*"))["value"]
    assert total == pytest.approx(expected, rel=1e-6)


def test_documents_add_up_to_their_source(world: World, tmp_path: Path) -> None:
    systems = {"one": world.model("one", 1, init_std=1), "two": world.model("two", 2)}
    perplexity(PerplexityConfig(systems=systems, tokens=world.tokens), tmp_path / "out")
    frame = Scores.open(tmp_path / "out").frame.filter(pl.col("task") == "heldout/code")
    sizes = dict(TokenSet.open(world.tokens).documents.select("id", "bytes").iter_rows())
    for system in systems:
        held = {
            i: v for s, i, v in frame.select("system", "item", "value").iter_rows() if s == system
        }
        bits = sum(value * sizes[item] for item, value in held.items() if item != "*")
        assert held["*"] == pytest.approx(bits / sum(sizes.values()))


def test_a_budget_takes_whole_documents(world: World, tmp_path: Path) -> None:
    systems = {"two": world.model("two", 2)}
    config = PerplexityConfig(systems=systems, tokens=world.tokens, max_tokens=1500)
    perplexity(config, tmp_path / "out")
    items = Scores.open(tmp_path / "out").frame.filter(pl.col("task") == "heldout/code")["item"]
    assert 1 < len(items) < 18
    counted = Lineage.open(tmp_path / "out").counts["tokens"]
    assert 0 < counted <= 1500 * len(TokenSet.open(world.tokens).sources)


def test_bits_of_documents_are_sums_of_their_tokens() -> None:
    bits = document_bits(np.array([1.0, 2, 3, 4]) * math.log(2), np.array([1, 3]))
    assert bits == pytest.approx([1, 9])


def test_tokens_of_another_tokenizer_are_refused(world: World, tmp_path: Path) -> None:
    other = train(TrainConfig(corpus=world.corpus, vocab_size=300), tmp_path / "tokenizer")
    model = Transformer.initialised(ModelConfig(**{**SHAPE, "vocab_size": 300}), 1)
    hf.save(model, tmp_path / "model", other)
    config = PerplexityConfig(systems={"m": tmp_path / "model"}, tokens=world.tokens)
    with pytest.raises(ArtifactError, match="made with another tokenizer"):
        perplexity(config, tmp_path / "out")
