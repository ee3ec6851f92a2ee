"""The sliced losses against torch's cross-entropy."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import cross_entropy

from model.conftest import BOTH, CONFIGS
from olmeda.model.config import load_preset
from olmeda.model.kernels import head_loss
from olmeda.model.loss import IGNORED, lm_loss, token_logprobs
from olmeda.model.transformer import Transformer


def batch(model: Transformer) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(2)
    ids = torch.randint(0, model.config.vocab_size, (3, 31), generator=generator)
    labels = ids[:, 1:].clone()
    labels[0, :7] = IGNORED
    labels[2, 20:] = IGNORED
    return ids[:, :-1], labels


def gradients(model: Transformer) -> dict[str, torch.Tensor]:
    found = {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    return found


def reference(model: Transformer, ids: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    logits = model.logits(model(ids).h_BTD)
    return cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="sum")


def assert_same(ours: dict[str, torch.Tensor], theirs: dict[str, torch.Tensor]) -> None:
    assert ours.keys() == theirs.keys()
    for name, gradient in ours.items():
        torch.testing.assert_close(gradient, theirs[name], rtol=1e-4, atol=2e-5, msg=name)


@pytest.mark.parametrize("elements", [1, 1 << 21])
@pytest.mark.parametrize("name", [*BOTH, "tied"])
def test_loss_and_gradients_equal_cross_entropy(
    name: str, elements: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(head_loss, "SLICE_ELEMENTS", elements)
    model = Transformer.initialised(CONFIGS[name], 1)
    ids, labels = batch(model)
    found = lm_loss(model, ids, labels)
    assert found.tokens == int((labels != IGNORED).sum())
    found.nll_sum.backward()
    ours = gradients(model)
    wanted = reference(model, ids, labels)
    torch.testing.assert_close(found.nll_sum, wanted, rtol=1e-6, atol=1e-4)
    wanted.backward()
    assert_same(ours, gradients(model))


def test_token_logprobs_and_their_gradient_equal_log_softmax() -> None:
    model = Transformer.initialised(CONFIGS["dense"], 1)
    ids, labels = batch(model)
    weights = torch.rand(labels.shape, generator=torch.Generator().manual_seed(3))
    found = token_logprobs(model, ids, labels)
    assert (found[labels == IGNORED] == 0).all()
    (found * weights).sum().backward()
    ours = gradients(model)
    logp = torch.log_softmax(model.logits(model(ids).h_BTD), -1)
    wanted = logp.gather(-1, labels.clamp(min=0)[..., None])[..., 0] * (labels != IGNORED)
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)
    (wanted * weights).sum().backward()
    assert_same(ours, gradients(model))


def test_z_loss_and_its_gradient_equal_squared_logsumexp() -> None:
    model = Transformer.initialised(CONFIGS["dense"], 1)
    ids, labels = batch(model)
    found = lm_loss(model, ids, labels, z=True)
    assert float(lm_loss(model, ids, labels).z_sum) == 0
    (found.nll_sum + 0.1 * found.z_sum).backward()
    ours = gradients(model)
    lse = torch.logsumexp(model.logits(model(ids).h_BTD)[labels != IGNORED], -1)
    wanted = reference(model, ids, labels) + 0.1 * lse.square().sum()
    torch.testing.assert_close(found.z_sum, lse.square().sum(), rtol=1e-5, atol=1e-3)
    wanted.backward()
    assert_same(ours, gradients(model))


def test_improbable_labels_do_not_underflow() -> None:
    model = Transformer.initialised(CONFIGS["dense"], 1)
    ids, labels = batch(model)
    with torch.no_grad():
        model.embed.mul_(50)
        assert model.head is not None
        model.head.weight.mul_(5000)
    found = lm_loss(model, ids, labels).nll_sum
    torch.testing.assert_close(found, reference(model, ids, labels), rtol=1e-5, atol=0.1)
    assert found.item() / int((labels != IGNORED).sum()) > 104  # e^-104 is 0 in float32


def test_batch_without_any_label_costs_nothing() -> None:
    model = Transformer.initialised(CONFIGS["moe"], 1)
    ids, labels = batch(model)
    found = lm_loss(model, ids, torch.full_like(labels, IGNORED))
    assert found.tokens == 0
    found.nll_sum.backward()
    assert found.nll_sum.item() == 0
    assert all(float(g.abs().max()) == 0 for g in gradients(model).values())


def test_dense_model_has_no_router_losses() -> None:
    model = Transformer.initialised(load_preset("tour-dense", layers=1, vocab_size=64), 1)
    found = lm_loss(model, torch.zeros(1, 4, dtype=torch.long), torch.ones(1, 4, dtype=torch.long))
    assert float(found.balance) == float(found.router_z) == 0
