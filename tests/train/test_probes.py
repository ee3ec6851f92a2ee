from __future__ import annotations

import math
from pathlib import Path

import polars as pl
import pytest
import torch

from olmeda.artifacts.tokenset import TokenSet
from olmeda.model.config import ModelConfig
from olmeda.model.transformer import Transformer
from olmeda.train.duration import Position
from olmeda.train.loop import Moment
from olmeda.train.probes import bits_per_byte, counting_visits, held_out, held_out_probe
from train.conftest import MODELS


def model_of(name: str) -> Transformer:
    return Transformer.initialised(ModelConfig.model_validate(MODELS[name]), 1)


def test_a_model_that_knows_nothing_needs_log2_of_the_vocabulary_for_a_token(
    tokens: dict[str, Path],
) -> None:
    held = TokenSet.open(tokens["heldout"])
    model = model_of("dense")
    torch.nn.init.zeros_(model.head_weight)
    for source in held_out(held, 32, 10**9, 4):
        documents = held.documents.filter(pl.col("source") == source.source)
        counted = sum(s.tokens for s in held.index.shards if s.source == source.source)
        expected = counted * math.log2(400) / documents["bytes"].sum()
        assert bits_per_byte(model, source) == pytest.approx(expected, rel=1e-5)


def test_the_probe_measures_every_source_and_where_tokens_went(tokens: dict[str, Path]) -> None:
    held = held_out(TokenSet.open(tokens["heldout"]), 32, 300, 4)
    moment = Moment(Position(0, 0, 0), {}, last=False)
    dense = held_out_probe(model_of("dense"), held)(moment)
    assert list(dense) == ["heldout/long", "heldout/short"]
    found = held_out_probe(model_of("moe"), held)(moment)
    assert list(found) == [*dense, "load"]
    assert [len(layer) for layer in found["load"]] == [4, 4]


def test_visits_are_counted_inside_only() -> None:
    model, ids = model_of("moe"), torch.zeros(2, 5, dtype=torch.int64)
    with counting_visits(model) as visits:
        model(ids)
    model(ids)
    assert [int(v.sum()) for v in visits] == [2 * 5 * 2] * 2
