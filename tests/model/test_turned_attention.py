"""Norms, rotation and attention in one kernel against the same computed apart, in float64."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from olmeda.model.attention import Attention, Places
from olmeda.model.config import ModelConfig
from olmeda.model.kernels import threads
from olmeda.model.rope import rotary_table
from olmeda.model.segments import Segments

SHAPE = {"vocab_size": 32, "width": 64, "heads": 4, "head_dim": 32, "mlp_width": 64, "layers": 2}
OPTIONS: dict[str, dict[str, Any]] = {
    "norm of all heads": {},
    "norm of each head": {"qk_norm": "head", "kv_heads": 2},
    "no norm": {"qk_norm": "none", "kv_heads": 1},
    "window and softcap": {"window": 9, "full_every": 2, "attention_softcap": 5.0},
}


def attention(options: dict[str, Any]) -> Attention:
    layer = Attention(ModelConfig.model_validate({**SHAPE, **options, "sequence": 64}), 0)
    generator = torch.Generator().manual_seed(0)
    for name, weight in layer.named_parameters():
        torch.nn.init.normal_(weight, float("norm" in name), 0.3, generator=generator)
    return layer


def results(
    layer: Attention, x: torch.Tensor, grad: torch.Tensor, segments: Segments | None
) -> list[torch.Tensor]:
    cos, sin = (t[:, None].to(x) for t in rotary_table(x.shape[1], 32, 1e4))
    ids = torch.zeros(x.shape[:2], dtype=torch.long)
    out = layer(x, Places(ids, (cos, sin), (cos, sin), segments=segments))
    return [out, *torch.autograd.grad(out, [x, *layer.parameters()], grad)]


@pytest.mark.parametrize("segments", [None, Segments((30, 7, 37))])
@pytest.mark.parametrize("name", OPTIONS)
def test_one_kernel_equals_norms_rotation_and_attention_apart(
    name: str, segments: Segments | None
) -> None:
    layer, generator = attention(OPTIONS[name]), torch.Generator().manual_seed(1)
    x, grad = (torch.randn(2, 37, 64, generator=generator) for _ in range(2))
    assert layer._at_once(x, Places(torch.zeros(2, 37), None, None))  # type: ignore[arg-type]
    found = results(layer, x.requires_grad_(), grad, segments)
    wanted = results(layer.double(), x.detach().double().requires_grad_(), grad.double(), segments)
    for ours, exact in zip(found, wanted, strict=True):
        scale = float(exact.detach().abs().max())
        torch.testing.assert_close(ours.double(), exact, rtol=1e-5, atol=2e-6 * scale)


def test_the_same_bits_on_any_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "WORTH_SPLITTING", 0)
    layer, generator = attention({}), torch.Generator().manual_seed(2)
    x, grad = (torch.randn(2, 64, 64, generator=generator) for _ in range(2))
    found = []
    for number in (1, 3):
        monkeypatch.setattr(torch, "get_num_threads", lambda number=number: number)
        found.append(results(layer, x.requires_grad_(), grad, None))
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


def test_a_norm_that_was_replaced_is_not_passed_over() -> None:
    layer = attention({})
    layer.q_norm = torch.nn.LayerNorm(128)
    x = torch.randn(1, 8, 64)
    assert not layer._at_once(x, Places(torch.zeros(1, 8), None, None))  # type: ignore[arg-type]
