"""Experts that choose tokens: even by construction, by sequence, never padding."""

from __future__ import annotations

import pytest
import torch

from model.conftest import TINY
from olmeda.base.errors import ConfigError
from olmeda.model.config import ModelConfig, load_preset
from olmeda.model.experts.losses import load_balance
from olmeda.model.experts.router import NOBODY, RouterOutput, experts_choose
from olmeda.model.generate import generate
from olmeda.model.loss import IGNORED, lm_loss, token_logprobs
from olmeda.model.moe import MoE
from olmeda.model.reward import RewardModel
from olmeda.model.transformer import Transformer

EXPERTS, CHOSEN = 8, 2


def config() -> ModelConfig:
    experts = {"count": EXPERTS, "chosen": CHOSEN, "choice": "expert"}
    return load_preset("tour-moe", **TINY, mlp_width=24, experts=experts)


def drawn(sequences: int, length: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(2)
    return torch.softmax(torch.randn(sequences, length, EXPERTS, generator=generator), -1)


def test_each_expert_takes_its_most_probable_tokens_of_each_sequence() -> None:
    probs_BTE = drawn(3, 12)
    chosen_BTE, weights_BTE = experts_choose(probs_BTE, CHOSEN)
    for sequence in range(3):
        for expert in range(EXPERTS):
            has = (chosen_BTE[sequence] == expert).any(-1).nonzero()[:, 0].tolist()
            best = probs_BTE[sequence, :, expert].topk(12 * CHOSEN // EXPERTS).indices
            assert has == sorted(best.tolist())
    assert ((chosen_BTE == NOBODY) == (weights_BTE == 0)).all()
    picked = chosen_BTE != NOBODY
    wanted = probs_BTE.gather(-1, chosen_BTE.clamp(min=0))
    assert torch.equal(weights_BTE[picked], wanted[picked])


def test_a_part_of_a_visit_is_rounded_up() -> None:
    chosen_BTE, _ = experts_choose(drawn(1, 5), CHOSEN)  # 5 * 2 / 8 = 1.25
    assert all(int((chosen_BTE == expert).sum()) == 2 for expert in range(EXPERTS))


def test_padding_is_never_taken_and_takes_no_room() -> None:
    probs_BTE = drawn(2, 16)
    real_BT = torch.arange(16) < torch.tensor([[16], [9]])
    chosen_BTE, weights_BTE = experts_choose(probs_BTE, CHOSEN, real_BT)
    short, short_weights = experts_choose(probs_BTE[1:, :9], CHOSEN)
    assert torch.equal(chosen_BTE[1, :9], short[0])
    assert torch.equal(weights_BTE[1, :9], short_weights[0])
    assert (chosen_BTE[1, 9:] == NOBODY).all()


def test_output_and_gradients_equal_the_plain_sum() -> None:
    moe = MoE(config())
    generator = torch.Generator().manual_seed(4)
    for weight in moe.parameters():
        torch.nn.init.normal_(weight, 0, 0.3, generator=generator)
    x = torch.randn(2, 16, 32, generator=generator).requires_grad_()
    y, routed = moe(x)
    gates_NE = torch.softmax(moe.router.scores(x), -1).flatten(0, 1) * routed.visited_NE
    wanted = torch.zeros(32, 32)
    for expert in range(EXPERTS):
        gate, up = (x.flatten(0, 1) @ moe.into[expert].T).chunk(2, -1)
        out = (torch.nn.functional.silu(gate) * up) @ moe.down[expert].T
        wanted = wanted + gates_NE[:, expert, None] * out
    torch.testing.assert_close(y.flatten(0, 1), wanted, rtol=1e-5, atol=1e-5)
    weights = [x, *moe.parameters()]
    ours = torch.autograd.grad(y.square().sum(), weights)
    theirs = torch.autograd.grad(wanted.square().sum(), weights)
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=5e-4)


def test_experts_that_choose_are_even() -> None:
    probs_BTE = drawn(4, 16)
    chosen_BTE, weights_BTE = experts_choose(probs_BTE, CHOSEN)
    parts = (probs_BTE.log(), probs_BTE, chosen_BTE, weights_BTE)
    routed = RouterOutput(*(t.flatten(0, 1) for t in parts))
    assert float(load_balance(routed)) == pytest.approx(1.0)
    assert routed.visited_NE.sum(0).tolist() == [4 * 16 * CHOSEN // EXPERTS] * EXPERTS


def test_neighbours_and_padding_change_nothing() -> None:
    model = Transformer.initialised(config(), 3)
    ids = torch.randint(0, 96, (2, 17), generator=torch.Generator().manual_seed(1))
    labels = ids.clone()[:, 1:]
    labels[1, 9:] = IGNORED
    together = token_logprobs(model, ids[:, :-1], labels)
    alone = token_logprobs(model, ids[1:, :9], labels[1:, :9])
    torch.testing.assert_close(together[1:, :9], alone, rtol=1e-5, atol=1e-5)
    assert lm_loss(model, ids[:, :-1], labels).balance.item() == pytest.approx(1.0, abs=0.02)


def test_a_reward_is_the_same_beside_longer_answers() -> None:
    model = RewardModel(Transformer.initialised(config(), 3))
    torch.nn.init.ones_(model.score.weight)
    ids = torch.randint(0, 96, (2, 17), generator=torch.Generator().manual_seed(1))
    together = model(ids, torch.tensor([16, 8]))
    alone = model(ids[1:, :9], torch.tensor([8]))
    torch.testing.assert_close(together[1:], alone, rtol=1e-5, atol=1e-5)


def test_a_model_whose_experts_choose_cannot_generate() -> None:
    model = Transformer.initialised(config(), 3)
    with pytest.raises(ConfigError, match=r"experts\.choice=token"):
        generate(model, [[5, 6, 7]], max_new_tokens=2, eos=0)
