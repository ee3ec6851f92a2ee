from __future__ import annotations

import torch

from olmeda.model.config import ModelConfig
from olmeda.model.transformer import Transformer
from olmeda.train.muon import Muon
from olmeda.train.optim import (
    AdamW,
    MuonWithAdamW,
    set_rates,
    sort_parameters,
    stacked_rows,
)

DENSE = ModelConfig(vocab_size=50, width=16, layers=2, heads=2, mlp_width=24, sequence=32)
MOE = DENSE.model_copy(
    update={"experts": ModelConfig.model_validate(
        {**DENSE.model_dump(), "experts": {"count": 4, "chosen": 2}}).experts}
)  # fmt: skip


def test_every_parameter_has_exactly_one_treatment() -> None:
    for config in (DENSE, MOE):
        model = Transformer.initialised(config, 0)
        found = sort_parameters(model)
        lists = [found.embeddings, found.vectors, found.outputs, found.matrices]
        assert sorted(id(p) for held in lists for p in held) == sorted(
            id(p) for p in model.parameters()
        )
        assert all(held for held in lists)
        assert found.embeddings[0] is model.embed
        assert any(p is model.head_weight for p in found.outputs)


def test_olmo2_decays_norms_and_not_embeddings_and_olmoe_both() -> None:
    model = Transformer.initialised(DENSE, 0)
    found = sort_parameters(model)
    (olmo2,) = AdamW().build(model, 1e-3)
    decay = {id(p): g["weight_decay"] for g in olmo2.param_groups for p in g["params"]}
    assert all(decay[id(p)] == 0.1 for p in [*found.vectors, *found.matrices, *found.outputs])
    assert all(decay[id(p)] == 0 for p in found.embeddings)
    (olmoe,) = AdamW(decay_embeddings=True).build(model, 1e-3)
    assert [g["weight_decay"] for g in olmoe.param_groups] == [0.1]


def test_muon_takes_matrices_and_leaves_the_rest_to_adamw() -> None:
    model = Transformer.initialised(MOE, 0)
    muon, adamw = MuonWithAdamW().build(model, 1e-3)
    assert isinstance(muon, Muon)
    held = [p for g in (*muon.param_groups, *adamw.param_groups) for p in g["params"]]
    assert sorted(map(id, held)) == sorted(map(id, model.parameters()))
    assert any(p.ndim == 3 for p in muon.param_groups[0]["params"])


def test_queries_keys_values_and_gates_are_told_apart() -> None:
    model = Transformer.initialised(MOE, 0)
    found = stacked_rows(model)
    block = model.blocks[0]
    assert found[block.attention.qkv.weight] == (16, 16, 16)
    assert found[block.mlp.gate_up] == (24, 24)
    assert len(found) == 4
    assert all(sum(rows) == param.shape[-2] for param, rows in found.items())


def test_olmo_1_decays_matrices_alone() -> None:
    model = Transformer.initialised(DENSE, 0)
    found = sort_parameters(model)
    (olmo,) = AdamW(decay_vectors=False, eps=1e-5).build(model, 1e-3)
    decay = {id(p): g["weight_decay"] for g in olmo.param_groups for p in g["params"]}
    assert all(decay[id(p)] == 0 for p in [*found.vectors, *found.embeddings])
    assert all(decay[id(p)] == 0.1 for p in [*found.matrices, *found.outputs])


def test_the_rest_beside_muon_may_have_a_rate_of_its_own() -> None:
    optimizers = MuonWithAdamW(rest_lr=0.1).build(Transformer.initialised(DENSE, 0), 1.0)
    set_rates(optimizers, 0.5)
    assert [g["lr"] for o in optimizers for g in o.param_groups] == [0.5, 0.05, 0.05]


def test_fused_adamw_equals_the_formula() -> None:
    param = torch.nn.Linear(1, 1, bias=False)
    (optimizer,) = AdamW(weight_decay=0.1).build(param, 0.01)
    start = param.weight.item()
    param.weight.grad = torch.full((1, 1), 0.5)
    optimizer.step()
    expected = start * (1 - 0.01 * 0.1) - 0.01 * 0.5 / (0.5 + 1e-8)
    assert abs(param.weight.item() - expected) < 1e-7


def test_rates_are_set_in_every_group() -> None:
    optimizers = MuonWithAdamW().build(Transformer.initialised(DENSE, 0), 1.0)
    set_rates(optimizers, 0.25)
    assert {g["lr"] for o in optimizers for g in o.param_groups} == {0.25}
