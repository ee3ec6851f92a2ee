"""Experts: dropless, equal to the plain sum over experts, and to a dense MLP where there is one."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import linear, silu

from model.conftest import CONFIGS, TINY
from olmeda.model.config import load_preset
from olmeda.model.mlp import MLP
from olmeda.model.moe import MoE


def layer(**experts: object) -> MoE:
    config = load_preset("tour-moe", **TINY, mlp_width=24, experts=experts)
    moe = MoE(config)
    generator = torch.Generator().manual_seed(4)
    for weight in moe.parameters():
        torch.nn.init.normal_(weight, 0, 0.3, generator=generator)
    return moe


def inputs() -> torch.Tensor:
    x = torch.randn(2, 19, 32, generator=torch.Generator().manual_seed(6))
    return x.requires_grad_()


def plain(moe: MoE, x_BTD: torch.Tensor, renormalise: bool) -> torch.Tensor:
    """Every expert on every token, the unchosen ones weighted with zero."""
    probs = torch.softmax(moe.router.scores(x_BTD), -1)
    top, chosen = probs.topk(moe.chosen, -1)
    if renormalise:
        top = top / top.sum(-1, keepdim=True)
    weights = torch.zeros_like(probs).scatter(-1, chosen, top)
    out = torch.zeros_like(x_BTD)
    for expert in range(moe.count):
        gate, up = linear(x_BTD, moe.gate_up[expert]).chunk(2, -1)
        out = out + weights[..., expert, None] * linear(silu(gate) * up, moe.down[expert])
    return out


@pytest.mark.parametrize("renormalise", [False, True])
@pytest.mark.parametrize(("count", "chosen"), [(8, 2), (8, 8), (3, 1), (64, 4)])
def test_output_and_gradients_equal_the_plain_sum(
    count: int, chosen: int, renormalise: bool
) -> None:
    moe, x = layer(count=count, chosen=chosen, renormalise=renormalise), inputs()
    y, routed = moe(x)
    wanted = plain(moe, x, renormalise)
    torch.testing.assert_close(y, wanted, rtol=1e-5, atol=1e-5)
    assert routed.chosen_NK.shape == (38, chosen)
    weights = [x, *moe.parameters()]
    ours = torch.autograd.grad(y.square().sum(), weights)
    theirs = torch.autograd.grad(wanted.square().sum(), weights)
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("renormalise", [False, True])
def test_one_expert_is_a_dense_mlp(renormalise: bool) -> None:
    moe, x = layer(count=1, chosen=1, renormalise=renormalise), inputs()
    dense = MLP(CONFIGS["moe"])
    dense.gate_up.weight.data, dense.down.weight.data = moe.gate_up.data[0], moe.down.data[0]
    torch.testing.assert_close(moe(x)[0], dense(x))


def test_token_goes_where_it_would_go_alone() -> None:
    moe, x = layer(count=8, chosen=2), inputs()
    together, routed = moe(x)
    alone, routed_alone = moe(x[1:, 7:8])
    torch.testing.assert_close(together[1:, 7:8], alone)
    assert torch.equal(routed.chosen_NK[19 + 7], routed_alone.chosen_NK[0])


def test_same_input_gives_the_same_bits() -> None:
    runs = []
    for _ in range(2):
        moe, x = layer(count=8, chosen=2), inputs()
        y, _ = moe(x)
        runs.append([y, *torch.autograd.grad(y.sum(), [x, *moe.parameters()])])
    assert all(torch.equal(a, b) for a, b in zip(*runs, strict=True))
