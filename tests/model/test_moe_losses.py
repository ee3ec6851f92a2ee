"""Losses of routers: exactly 1 where routing is uniform, by layer, padding left out."""

from __future__ import annotations

import math

import pytest
import torch

from model.conftest import TINY
from olmeda.model.config import load_preset
from olmeda.model.experts.losses import load_balance, real_tokens, router_losses, router_z
from olmeda.model.experts.router import RouterOutput
from olmeda.model.loss import IGNORED, lm_loss
from olmeda.model.transformer import Transformer


def routed(probs_NE: torch.Tensor, chosen_NK: torch.Tensor) -> RouterOutput:
    weights_NK = probs_NE.gather(1, chosen_NK)
    return RouterOutput(probs_NE.log(), probs_NE, chosen_NK, weights_NK)


def uniform(tokens: int, experts: int, chosen: int) -> RouterOutput:
    chosen_NK = (torch.arange(tokens)[:, None] + torch.arange(chosen)) % experts
    return routed(torch.full((tokens, experts), 1 / experts), chosen_NK)


def drawn(tokens: int, experts: int, chosen: int, seed: int = 0) -> RouterOutput:
    generator = torch.Generator().manual_seed(seed)
    probs_NE = torch.softmax(3 * torch.randn(tokens, experts, generator=generator), -1)
    return routed(probs_NE, probs_NE.topk(chosen, -1).indices)


def collapsed(expert: int) -> RouterOutput:
    logits_NE = torch.zeros(6, 2)
    logits_NE[:, expert] = 20
    return routed(torch.softmax(logits_NE, -1), torch.full((6, 1), expert))


@pytest.mark.parametrize("groups", [1, 4])
@pytest.mark.parametrize(("experts", "chosen"), [(1, 1), (4, 1), (8, 2), (64, 8)])
def test_balance_is_exactly_one_at_uniform_routing(experts: int, chosen: int, groups: int) -> None:
    tokens = experts * 4
    assert float(load_balance(uniform(tokens, experts, chosen), None, groups)) == 1.0
    real_N = torch.arange(tokens) < tokens * 3 // 4
    assert float(load_balance(uniform(tokens, experts, chosen), real_N, groups)) == 1.0


def test_balance_of_collapsed_routing_is_experts_over_chosen() -> None:
    probs_NE = torch.zeros(10, 8)
    probs_NE[:, :2] = 0.5
    chosen_NK = torch.tensor([[0, 1]]).expand(10, 2)
    assert float(load_balance(routed(probs_NE, chosen_NK))) == pytest.approx(8 / 2)


def test_balance_is_the_published_formula() -> None:
    given, total = drawn(40, 6, 2), 0.0
    for expert in range(6):  # N / (T K) sum_i c_i P_i, in plain words
        visits = int((given.chosen_NK == expert).sum())
        total += visits * float(given.probs_NE[:, expert].sum()) / 40
    assert float(load_balance(given)) == pytest.approx(6 / (40 * 2) * total, rel=1e-6)


def test_layers_that_collapse_differently_do_not_cancel() -> None:
    balance, _ = router_losses([collapsed(0), collapsed(1)])
    assert float(balance) == pytest.approx(2.0)  # pooled over layers it would be 1


def test_sequences_that_collapse_differently_cancel_only_over_the_batch() -> None:
    both = [collapsed(0), collapsed(1)]
    joined = routed(torch.cat([r.probs_NE for r in both]), torch.cat([r.chosen_NK for r in both]))
    assert float(load_balance(joined)) == pytest.approx(1.0)
    assert float(load_balance(joined, groups=2)) == pytest.approx(2.0)


@pytest.mark.parametrize("groups", [1, 3])
def test_padding_does_not_count(groups: int) -> None:
    given = drawn(60, 8, 2)
    real_N = torch.ones(60, dtype=torch.bool)
    real_N.view(3, 20)[:, 15:] = False
    kept = routed(given.probs_NE[real_N], given.chosen_NK[real_N])
    for loss in (lambda r, n: load_balance(r, n, groups), lambda r, n: router_z(r, n)):
        torch.testing.assert_close(loss(given, real_N), loss(kept, None))


def test_a_longer_sequence_counts_more_in_balance_by_sequence() -> None:
    given = drawn(20, 4, 1)
    real_N = torch.ones(20, dtype=torch.bool)
    real_N[14:] = False  # 10 tokens of the first sequence, 4 of the second
    first, second = (
        float(load_balance(routed(given.probs_NE[part], given.chosen_NK[part])))
        for part in (slice(10), slice(10, 14))
    )
    whole = float(load_balance(given, real_N, 2))
    assert whole == pytest.approx((10 * first + 4 * second) / 14, rel=1e-6)


def test_what_stands_after_the_last_label_of_a_row_is_padding() -> None:
    counts_BT = torch.tensor([[0, 0, 1, 1], [0, 1, 0, 0], [1, 0, 1, 0], [0, 0, 0, 0]]).bool()
    wanted = [[1, 1, 1, 1], [1, 1, 0, 0], [1, 1, 1, 0], [0, 0, 0, 0]]
    found = real_tokens(counts_BT)
    assert found is not None
    assert found.int().tolist() == wanted
    assert real_tokens(torch.ones(2, 3, dtype=torch.bool)) is None


def test_no_router_counts_the_padding_of_a_batch() -> None:
    config = load_preset("tour-moe", **TINY, mlp_width=24)
    model = Transformer.initialised(config, 3)
    ids = torch.randint(0, 96, (1, 12), generator=torch.Generator().manual_seed(1))
    alone = lm_loss(model, ids[:, :-1], ids[:, 1:])
    padded = torch.nn.functional.pad(ids, (0, 9), value=1)
    labels = padded[:, 1:].clone()
    labels[:, 11:] = IGNORED
    found = lm_loss(model, padded[:, :-1], labels)
    for name in ("nll_sum", "balance", "router_z"):
        torch.testing.assert_close(getattr(found, name), getattr(alone, name), rtol=1e-5, atol=1e-5)


def test_router_z_of_zero_logits_is_squared_log_of_experts() -> None:
    zeros = RouterOutput(
        torch.zeros(5, 8), torch.full((5, 8), 1 / 8), torch.zeros(5, 2).long(), torch.ones(5, 2)
    )
    assert float(router_z(zeros)) == pytest.approx(math.log(8) ** 2)


def test_balance_pulls_towards_experts_with_few_visits() -> None:
    logits_NE = torch.tensor([[1.0, 0.0, 0.0, 0.0]]).repeat(8, 1).requires_grad_()
    probs_NE = torch.softmax(logits_NE, -1)
    balance = load_balance(routed(probs_NE, probs_NE.detach().topk(1, -1).indices))
    (grad_NE,) = torch.autograd.grad(balance, logits_NE)
    assert (grad_NE[:, 0] > 0).all()
    assert (grad_NE[:, 1:] < 0).all()
