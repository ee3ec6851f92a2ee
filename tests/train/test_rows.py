from __future__ import annotations

from typing import Any

import pytest
import torch

from olmeda.model.config import ModelConfig
from olmeda.model.transformer import Transformer
from olmeda.train.rows import Rows, language_loss
from olmeda.train.step import accumulate
from train.conftest import MODELS


def rows(seed: int, count: int, ignored: int) -> Rows:
    generator = torch.Generator().manual_seed(seed)
    ids, labels = (torch.randint(0, 400, (count, 8), generator=generator) for _ in range(2))
    labels[:, :ignored] = -100
    return Rows(ids, labels, int((labels != -100).sum()), labels.numel())


@pytest.mark.parametrize("shape", ["dense", "moe"])
def test_z_loss_pulls_as_its_formula_says_whatever_the_micro_batches(shape: str) -> None:
    config = ModelConfig.model_validate({**MODELS[shape], "z_weight": 0.01})
    if config.experts is not None:  # their penalties are means of micro-batches
        experts = config.experts.model_copy(update={"balance_weight": 0.0, "z_weight": 0.0})
        config = config.model_copy(update={"experts": experts})
    model = Transformer.initialised(config, 1)
    batch = [rows(2, 3, 2), rows(3, 1, 5)]
    measures = accumulate(model, batch, language_loss(config))
    found = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    nll, z, units = torch.zeros(()), torch.zeros(()), sum(r.units for r in batch)
    for r in batch:
        logits = model.logits(model(r.ids_BT).h_BTD).flatten(0, 1)
        nll = nll + torch.nn.functional.cross_entropy(
            logits, r.labels_BT.flatten(), reduction="sum"
        )
        counted = r.labels_BT.flatten() != -100
        z = z + torch.logsumexp(logits[counted], -1).square().sum()
    ((nll + 0.01 * z) / units).backward()
    assert measures["loss"] == pytest.approx(float(nll.detach()) / units, rel=1e-5)
    assert measures["z"] == pytest.approx(float(z.detach()) / units, rel=1e-5)
    for name, p in model.named_parameters():
        if p.grad is not None:
            torch.testing.assert_close(found[name], p.grad, rtol=1e-4, atol=1e-6)


def test_without_penalties_the_loss_is_the_plain_one() -> None:
    config = ModelConfig.model_validate(MODELS["dense"])
    losses: Any = language_loss(config)(Transformer.initialised(config, 1), rows(2, 3, 2))
    assert losses.penalty is None
    assert losses.measures == {}
