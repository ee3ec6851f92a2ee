"""Upcycling: as published, and in a form that computes at first what the dense model does."""

from __future__ import annotations

import pytest
import torch

from model.conftest import TINY
from olmeda.base.errors import ConfigError
from olmeda.model.config import ModelConfig, load_preset
from olmeda.model.experts_config import ExpertsConfig
from olmeda.model.moe import MoE, moe_layers
from olmeda.model.transformer import Transformer
from olmeda.model.upcycle import Upcycling, upcycle, upcycled_config

IDS = torch.randint(0, 96, (3, 40), generator=torch.Generator().manual_seed(1))
PUBLISHED = Upcycling(form="published")


def dense(**changes: object) -> Transformer:
    config = load_preset("tour-dense", **{**TINY, "mlp_width": 48, **changes})
    return Transformer.initialised(config, 3)


def logits(model: Transformer) -> torch.Tensor:
    return model.logits(model(IDS).h_BTD)


@pytest.mark.parametrize("place", ["before", "after"])
@pytest.mark.parametrize("activation", ["swiglu", "relu2"])
@pytest.mark.parametrize(
    ("parts", "experts"),
    [
        (1, {"count": 8, "chosen": 2}),
        (1, {"count": 8, "chosen": 1}),
        (1, {"count": 4, "chosen": 2, "shared": 1}),
        (1, {"count": 4, "chosen": 3, "shared": 2, "every": 2}),
        (1, {"count": 4, "chosen": 2, "bias_rate": 0.01}),
        (2, {"count": 8, "chosen": 4}),
        (4, {"count": 16, "chosen": 8, "shared": 4}),
        (1, {"count": 3, "chosen": 3, "renormalise": False}),
    ],
)
def test_preserving_form_computes_what_the_dense_model_does(
    parts: int, experts: dict[str, object], activation: str, place: str
) -> None:
    before = dense(activation=activation, norm_place=place, init_std=0.2)
    chosen = ExpertsConfig.model_validate({"renormalise": True, **experts})
    after = upcycle(before, chosen, Upcycling(parts=parts, router_std=1.0), seed=5)
    assert moe_layers(after)
    with torch.no_grad():
        wanted, found = logits(before), logits(after)
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5 * float(wanted.abs().max()))


def test_published_form_copies_the_mlp_and_draws_routers() -> None:
    before = dense()
    after = upcycle(before, ExpertsConfig(count=8, chosen=2), PUBLISHED, seed=5)
    for block, old in zip(after.blocks, before.blocks, strict=True):
        assert isinstance(block.mlp, MoE)
        for expert in range(8):
            assert torch.equal(block.mlp.into[expert], old.mlp.gate_up.weight)
            assert torch.equal(block.mlp.down[expert], old.mlp.down.weight)
        weight = block.mlp.router.scores.weight
        assert 0.015 < weight.std().item() < 0.025
        assert torch.equal(block.attention.qkv.weight, old.attention.qkv.weight)
    assert torch.equal(after.embed, before.embed)


def test_published_form_begins_with_about_k_of_e_parts_of_the_output() -> None:
    before = dense(layers=1)
    after = upcycle(before, ExpertsConfig(count=8, chosen=2), PUBLISHED, seed=5)
    x = torch.randn(1, 50, 32, generator=torch.Generator().manual_seed(2))
    share = after.blocks[0].mlp(x)[0] / before.blocks[0].mlp(x)
    assert 2 / 8 < float(share.median()) < 1.3 * 2 / 8


def test_shared_experts_of_the_published_form_are_copies_with_weight_one() -> None:
    before = dense()
    after = upcycle(before, ExpertsConfig(count=4, chosen=1, shared=2), PUBLISHED, seed=5)
    x = torch.randn(1, 9, 32, generator=torch.Generator().manual_seed(2))
    shared = after.blocks[0].mlp.shared(x)
    torch.testing.assert_close(shared, 2 * before.blocks[0].mlp(x))


def test_noise_draws_so_large_a_share_of_experts_anew_and_nothing_else() -> None:
    before = dense()
    how = Upcycling(form="published", noise=0.5, noise_std=0.3)
    after = upcycle(before, ExpertsConfig(count=4, chosen=2, shared=1), how, seed=5)
    moe, old = after.blocks[0].mlp, before.blocks[0].mlp
    kept = torch.stack([into == old.gate_up.weight for into in moe.into])
    assert 0.45 < float(kept.float().mean()) < 0.55
    assert not torch.equal(moe.into[0], moe.into[1])
    assert 0.27 < float(moe.into[~kept].std()) < 0.33
    assert torch.equal(moe.shared.gate_up.weight, old.gate_up.weight)


def test_same_seed_gives_the_same_model() -> None:
    how = Upcycling(form="published", noise=0.1)
    one, same, other = (
        upcycle(dense(), ExpertsConfig(count=4, chosen=2), how, seed=seed) for seed in (1, 1, 2)
    )
    pairs = zip(one.parameters(), same.parameters(), other.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b, _ in pairs)
    assert not torch.equal(one.blocks[0].mlp.down, other.blocks[0].mlp.down)


@pytest.mark.parametrize(
    ("experts", "how", "message"),
    [
        ({"count": 4, "chosen": 2}, {}, "renormalise: raw probabilities"),
        ({"count": 4, "chosen": 2, "choice": "expert"}, {}, "experts.choice"),
        ({"count": 4, "chosen": 2, "renormalise": True}, {"noise": 0.5}, "how.noise"),
        ({"count": 4, "chosen": 2}, {"form": "published", "parts": 2}, "how.parts"),
        ({"count": 4, "chosen": 3, "renormalise": True}, {"parts": 2}, "chosen 3 is no multiple"),
        ({"count": 5, "chosen": 5, "renormalise": True}, {"parts": 5}, "mlp_width 48 is no"),
    ],
)
def test_what_cannot_be_is_refused(
    experts: dict[str, object], how: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        upcycled_config(
            dense().config, ExpertsConfig.model_validate(experts), Upcycling.model_validate(how)
        )


def test_a_mixture_is_not_upcycled_again() -> None:
    sparse: ModelConfig = load_preset("tour-moe", **TINY, mlp_width=48)
    with pytest.raises(ConfigError, match="has experts already"):
        upcycled_config(sparse, ExpertsConfig(count=4, chosen=2), PUBLISHED)
