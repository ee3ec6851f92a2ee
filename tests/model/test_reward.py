"""Reward models against transformers' sequence classifier."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForSequenceClassification

from model.conftest import BOTH, CONFIGS
from olmeda.model.reward import RewardModel, load_reward, save_reward
from olmeda.model.transformer import Transformer


def reward_model(name: str) -> RewardModel:
    model = RewardModel(Transformer.initialised(CONFIGS[name], 1))
    torch.nn.init.normal_(model.score.weight, generator=torch.Generator().manual_seed(2))
    return model


def padded() -> tuple[torch.Tensor, torch.Tensor]:
    ids = torch.randint(2, 96, (3, 20), generator=torch.Generator().manual_seed(3))
    last = torch.tensor([19, 4, 11])
    for row, end in enumerate(last):
        ids[row, end + 1 :] = 1
    return ids, last


@torch.no_grad()
@pytest.mark.parametrize("name", ["dense", "llama"])
def test_rewards_equal_those_of_transformers(name: str, tokenizer: Path, tmp_path: Path) -> None:
    model = reward_model(name)
    save_reward(model, tmp_path, tokenizer)
    theirs = AutoModelForSequenceClassification.from_pretrained(tmp_path)
    ids, last = padded()
    wanted = theirs(ids, attention_mask=(ids != 1).long()).logits[:, 0]
    torch.testing.assert_close(model(ids, last), wanted, rtol=0, atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("name", BOTH)
def test_saving_and_loading_keeps_the_rewards(name: str, tokenizer: Path, tmp_path: Path) -> None:
    model = reward_model(name)
    save_reward(model, tmp_path, tokenizer)
    ids, last = padded()
    assert torch.equal(load_reward(tmp_path)(ids, last), model(ids, last))


@torch.no_grad()
def test_padding_does_not_change_a_reward() -> None:
    model = reward_model("dense")
    ids, last = padded()
    alone = [model(ids[r : r + 1, : end + 1], last[r : r + 1])[0] for r, end in enumerate(last)]
    torch.testing.assert_close(model(ids, last), torch.stack(alone))


def test_new_reward_model_is_indifferent_and_learns() -> None:
    model = RewardModel(Transformer.initialised(CONFIGS["dense"], 1))
    ids, last = padded()
    reward = model(ids, last)
    assert not reward.any()
    reward.sum().backward()
    assert model.score.weight.grad is not None
    assert model.score.weight.grad.any()
