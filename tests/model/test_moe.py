"""Experts: dropless, equal to the plain sum over experts, and to a dense MLP where there is one."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import linear, relu, silu

from model.conftest import TINY
from olmeda.base.errors import ConfigError
from olmeda.model.config import ModelConfig, load_preset
from olmeda.model.experts import products
from olmeda.model.experts.activation import ACTIVATIONS
from olmeda.model.mlp import build_mlp
from olmeda.model.moe import MoE
from olmeda.model.transformer import Transformer


def configured(activation: str = "swiglu", **experts: object) -> ModelConfig:
    return load_preset(
        "tour-moe", **TINY, mlp_width=24, activation=activation, experts=experts, norm_place="after"
    )


def layer(activation: str = "swiglu", **experts: object) -> MoE:
    moe = MoE(configured(activation, **experts))
    generator = torch.Generator().manual_seed(4)
    for weight in moe.parameters():
        torch.nn.init.normal_(weight, 0, 0.3, generator=generator)
    return moe


def inputs() -> torch.Tensor:
    x = torch.randn(2, 19, 32, generator=torch.Generator().manual_seed(6))
    return x.requires_grad_()


def expert_output(moe: MoE, expert: int, x_BTD: torch.Tensor) -> torch.Tensor:
    h = linear(x_BTD, moe.into[expert])
    if moe.activation.name == "up":
        return linear(relu(h).square(), moe.down[expert])
    gate, up = h.chunk(2, -1)
    return linear(silu(gate) * up, moe.down[expert])


def plain(moe: MoE, x_BTD: torch.Tensor, renormalise: bool = False) -> torch.Tensor:
    """Every expert on every token, the unchosen ones weighted with zero."""
    probs = torch.softmax(moe.router.scores(x_BTD), -1)
    top, chosen = probs.topk(moe.chosen, -1)
    if renormalise:
        top = top / top.sum(-1, keepdim=True)
    weights = torch.zeros_like(probs).scatter(-1, chosen, top)
    out = torch.zeros_like(x_BTD)
    for expert in range(moe.count):
        out = out + weights[..., expert, None] * expert_output(moe, expert, x_BTD)
    return out if moe.shared is None else out + moe.shared(x_BTD)


def assert_same(moe: MoE, x: torch.Tensor, ours: torch.Tensor, theirs: torch.Tensor) -> None:
    """Outputs and all gradients."""
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)
    weights = [x, *moe.parameters()]
    pairs = zip(
        torch.autograd.grad(ours.square().sum(), weights),
        torch.autograd.grad(theirs.square().sum(), weights),
        strict=True,
    )
    for one, other in pairs:
        torch.testing.assert_close(one, other, rtol=1e-4, atol=5e-4)


@pytest.mark.parametrize("renormalise", [False, True])
@pytest.mark.parametrize(("count", "chosen"), [(8, 2), (8, 8), (3, 1), (64, 4)])
def test_output_and_gradients_equal_the_plain_sum(
    count: int, chosen: int, renormalise: bool
) -> None:
    moe, x = layer(count=count, chosen=chosen, renormalise=renormalise), inputs()
    y, routed = moe(x)
    assert routed.chosen_NK.shape == (38, chosen)
    assert_same(moe, x, y, plain(moe, x, renormalise))


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_pieces_of_an_experts_visits_sum_to_the_same(
    activation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(products, "ROWS", 3)
    moe, x = layer(activation, count=4, chosen=2), inputs()
    assert_same(moe, x, moe(x)[0], plain(moe, x))


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_shared_experts_are_added_with_weight_one(activation: str) -> None:
    moe, x = layer(activation, count=4, chosen=2, shared=3), inputs()
    assert moe.shared is not None
    assert moe.shared.down.weight.shape == (32, 3 * 24)
    assert_same(moe, x, moe(x)[0], plain(moe, x))


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_grouped_products_equal_the_loop(activation: str, monkeypatch: pytest.MonkeyPatch) -> None:
    moe, x = layer(activation, count=8, chosen=2), inputs()
    looped = moe(x)[0]
    monkeypatch.setattr(products, "has_grouped_products", lambda *_: True)
    grouped = moe(x)[0]
    assert grouped.grad_fn is not None
    assert "IndexAdd" in grouped.grad_fn.next_functions[0][0].name()
    assert_same(moe, x, grouped, looped)


def test_autocast_computes_experts_in_the_lower_precision_and_routers_in_float32() -> None:
    moe, x = layer(count=8, chosen=2, shared=1), inputs()
    wanted, _ = moe(x)
    with torch.autocast("cpu", torch.bfloat16):
        found, routed = moe(x)
    assert found.dtype == torch.bfloat16
    assert routed.probs_NE.dtype == torch.float32
    assert (found - wanted).norm() < 0.02 * wanted.norm()
    (grad,) = torch.autograd.grad(found.float().square().sum(), moe.down)
    assert grad.dtype == torch.float32


def test_cpus_and_float32_have_no_grouped_products() -> None:
    x = torch.zeros(4, 8)
    assert not products.has_grouped_products(x, torch.zeros(2, 8, 8))
    assert not products.has_grouped_products(x.bfloat16(), torch.zeros(2, 8, 8))


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("renormalise", [False, True])
def test_one_expert_is_a_dense_mlp(renormalise: bool, activation: str) -> None:
    moe, x = layer(activation, count=1, chosen=1, renormalise=renormalise), inputs()
    dense = build_mlp(configured(activation, count=1, chosen=1))
    for name in (moe.activation.name, "down"):
        dense.get_submodule(name).weight.data = moe.get_parameter(name).data[0]
    torch.testing.assert_close(moe(x)[0], dense(x))


def test_a_model_of_one_expert_computes_what_the_dense_model_does() -> None:
    sparse = Transformer.initialised(configured(count=1, chosen=1, every=1), 1)
    dense = Transformer(configured().model_copy(update={"experts": None}))
    held = sparse.state_dict()
    for name, weight in dense.state_dict().items():
        if name.endswith(("mlp.gate_up.weight", "mlp.down.weight")):
            weight.copy_(held[name.removesuffix(".weight")][0])
        else:
            weight.copy_(held[name])
    ids = torch.arange(40).view(2, 20)
    torch.testing.assert_close(sparse(ids).h_BTD, dense(ids).h_BTD)


def test_every_other_layer_has_experts_and_the_rest_a_dense_mlp_of_the_same_use() -> None:
    config = load_preset(
        "tour-moe", **{**TINY, "layers": 4}, mlp_width=24,
        experts={"count": 4, "chosen": 2, "shared": 1, "every": 2},
    )  # fmt: skip
    model = Transformer.initialised(config, 1)
    assert [isinstance(b.mlp, MoE) for b in model.blocks] == [False, True, False, True]
    assert model.blocks[0].mlp.down.weight.shape == (32, 3 * 24)
    assert len(model(torch.zeros(1, 5, dtype=torch.long)).routers) == 2


def test_token_goes_where_it_would_go_alone() -> None:
    moe, x = layer(count=8, chosen=2), inputs()
    together, routed = moe(x)
    alone, routed_alone = moe(x[1:, 7:8])
    torch.testing.assert_close(together[1:, 7:8], alone)
    assert torch.equal(routed.chosen_NK[19 + 7], routed_alone.chosen_NK[0])


@pytest.mark.parametrize("choice", ["token", "expert"])
def test_same_input_gives_the_same_bits(choice: str) -> None:
    runs = []
    for _ in range(2):
        moe, x = layer(count=8, chosen=2, choice=choice), inputs()
        y, _ = moe(x)
        runs.append([y, *torch.autograd.grad(y.sum(), [x, *moe.parameters()])])
    assert all(torch.equal(a, b) for a, b in zip(*runs, strict=True))


def test_an_expert_without_visits_gets_a_gradient_of_zeros() -> None:
    moe, x = layer(count=8, chosen=1), inputs()
    y, routed = moe(x[:1, :2])
    into, down = torch.autograd.grad(y.sum(), [moe.into, moe.down])
    empty = sorted(set(range(8)) - set(routed.chosen_NK.flatten().tolist()))
    assert len(empty) >= 6
    assert float(into[empty].abs().max()) == float(down[empty].abs().max()) == 0


def test_choices_that_cannot_be_are_refused() -> None:
    with pytest.raises(ConfigError, match="chosen 5 of 4"):
        configured(count=4, chosen=5)
    with pytest.raises(ConfigError, match="bias_rate"):
        configured(count=4, chosen=2, choice="expert", bias_rate=0.1)
    with pytest.raises(ConfigError, match="renormalise"):
        configured(count=4, chosen=2, choice="expert", renormalise=True)
