from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from olmeda.artifacts.tokenset import TokenSet
from olmeda.model.config import ModelConfig
from olmeda.model.experts.bias import biased_routers
from olmeda.model.loss import IGNORED
from olmeda.model.transformer import Transformer
from olmeda.routing import measures
from olmeda.train.duration import Position
from olmeda.train.loop import Moment
from olmeda.train.probes import bits_per_byte, held_out, held_out_probe, sample
from olmeda.train.routes import RouteProbe, overlap, routing, strongest_pairs, visited
from olmeda.train.world import World
from train.conftest import MODELS

MOMENT = Moment(Position(0, 0, 0), {}, last=False)


def model_of(name: str, seed: int = 1) -> Transformer:
    return Transformer.initialised(ModelConfig.model_validate(MODELS[name]), seed)


class Half(World):
    """One of two processes; what the other would say is said by it too."""

    said: list[tuple[float, ...]] = []

    def total(self, *values: float) -> list[float]:
        self.said.append(values)
        return list(values)


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
    dense = held_out_probe(model_of("dense"), held)(MOMENT)
    assert list(dense) == ["heldout/long", "heldout/short"]
    found = held_out_probe(model_of("moe"), held)(MOMENT)
    assert list(found) == [*dense, "load"]
    assert [len(layer) for layer in found["load"]] == [4, 4]
    assert [sum(layer) for layer in found["load"]] == pytest.approx([1.0, 1.0])


def test_padding_counts_nowhere(tokens: dict[str, Path]) -> None:
    held = held_out(TokenSet.open(tokens["heldout"]), 32, 300, 4)[0]
    ids, labels = held.windows[-1]
    padding = labels == IGNORED
    assert padding.any(), "the last window is not full"
    model = model_of("moe")
    found = held_out_probe(model, [held])(MOMENT)
    ids[padding] = 399  # other padding goes to other experts
    again = held_out_probe(model, [held])(MOMENT)
    assert again["load"] == found["load"]


@pytest.mark.parametrize("rows", [1, 4, 64])
def test_two_processes_together_say_what_one_says(tokens: dict[str, Path], rows: int) -> None:
    held = held_out(TokenSet.open(tokens["heldout"]), 32, 300, rows)
    model = model_of("moe")
    alone = held_out_probe(model, held)(MOMENT)
    said = []
    for rank in range(2):
        half = Half(rank, 2)
        half.said.clear()
        held_out_probe(model, held, half)(MOMENT)
        said.append(list(half.said))
    assert [len(values) for values in said[0]] == [len(values) for values in said[1]]
    summed = [[a + b for a, b in zip(*pair, strict=True)] for pair in zip(*said, strict=True)]
    for source, (nats,) in zip(held, summed[:2], strict=True):
        expected = nats / source.bytes / math.log(2)
        assert alone[f"heldout/{source.source}"] == pytest.approx(expected, rel=1e-6)
    visits = np.array(summed[2]).reshape(2, 4)
    assert alone["load"] == (visits / visits.sum(1, keepdims=True)).tolist()


def test_routes_are_those_the_routing_room_counts(tokens: dict[str, Path]) -> None:
    held = held_out(TokenSet.open(tokens["heldout"]), 32, 300, 4)
    windows = sample(held, 128)
    assert sum(ids.numel() for ids, _ in windows) == 2 * 128
    chosen, seen = [], []
    for seed in (1, 2):
        model, rows, sets = model_of("moe", seed), [], []
        for ids, labels in windows:
            with routing(model) as passes:
                model(ids)
            keep = (labels != IGNORED).flatten()
            rows.append(torch.stack([r.chosen_NK[keep] for r in passes[0]], 1))
            sets.append(visited(passes[0], labels))
        chosen.append(torch.cat(rows).numpy())
        seen.append(torch.cat(sets))
    settled = measures.saturation(chosen[0], chosen[1])
    assert overlap(seen[0], seen[1]) == pytest.approx(settled.tolist())
    pairs = measures.coactivation(chosen[0], 4)
    for layer, strongest in enumerate(strongest_pairs(seen[0], 12)):
        assert sorted(pairs[layer][pairs[layer] > 0])[::-1] == pytest.approx(
            [share for _, _, share in strongest], abs=1e-6
        )
        for i, j, share in strongest:
            assert pairs[layer, int(i), int(j)] == pytest.approx(share, abs=1e-6)


def test_a_model_that_does_not_change_is_saturated(tokens: dict[str, Path]) -> None:
    held = held_out(TokenSet.open(tokens["heldout"]), 32, 300, 4)
    model = model_of("moe")
    routes = RouteProbe(model, sample(held, 64), layers=2, experts=4)
    first = held_out_probe(model, held, routes=routes)(MOMENT)
    assert "saturation/first" not in first
    assert len(first["coactivation"]) == 2
    again = held_out_probe(model, held, routes=routes)(MOMENT)
    assert again["saturation/first"] == again["saturation/before"] == [1.0, 1.0]
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter))
    moved = held_out_probe(model, held, routes=routes)(MOMENT)
    assert max(moved["saturation/before"]) < 1.0


@pytest.mark.parametrize("experts", [{"choice": "expert"}, {"every": 2}, {"shared": 1}], ids=str)
def test_every_kind_of_mixture_is_measured(
    tokens: dict[str, Path], experts: dict[str, Any]
) -> None:
    shape = {**MODELS["moe"], "experts": {"count": 4, "chosen": 2, **experts}}
    model = Transformer.initialised(ModelConfig.model_validate(shape), 1)
    held = held_out(TokenSet.open(tokens["heldout"]), 32, 100, 4)
    layers = 1 if "every" in experts else 2
    routes = RouteProbe(model, sample(held, 64), layers, experts=4)
    hook = held_out_probe(model, held, routes=routes)
    hook(MOMENT)
    found = hook(MOMENT)
    assert [sum(layer) for layer in found["load"]] == pytest.approx([1.0] * layers)
    assert found["saturation/before"] == [1.0] * layers
    assert len(found["coactivation"]) == layers


def test_measuring_moves_no_balancing_bias(tokens: dict[str, Path]) -> None:
    shape = {**MODELS["moe"], "experts": {"count": 4, "chosen": 2, "bias_rate": 0.1}}
    model = Transformer.initialised(ModelConfig.model_validate(shape), 1).train()
    held_out_probe(model, held_out(TokenSet.open(tokens["heldout"]), 32, 100, 4))(MOMENT)
    assert model.training
    assert all(router.visits_E is None for router in biased_routers(model))


def test_what_routes_remember_is_all_in_their_memory(tokens: dict[str, Path]) -> None:
    held = held_out(TokenSet.open(tokens["heldout"]), 32, 300, 4)
    one = RouteProbe(model_of("moe"), sample(held, 64), layers=2, experts=4)
    other = RouteProbe(model_of("moe", 2), sample(held, 64), layers=2, experts=4)
    one.measure()
    for name, value in other.memory.items():
        value.copy_(one.memory[name])
    settled = other.measure()
    assert 0 < settled["saturation/first"][0] < 1


def test_what_a_caller_asks_besides_joins_the_row(tokens: dict[str, Path]) -> None:
    def width(model: Transformer) -> Mapping[str, float]:
        return {"width": float(model.config.width)}

    held = held_out(TokenSet.open(tokens["heldout"]), 32, 100, 4)
    found: Mapping[str, Any] = held_out_probe(model_of("dense"), held, downstream=[width])(MOMENT)
    assert found["width"] == 16.0
