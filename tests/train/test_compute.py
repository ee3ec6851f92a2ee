"""How training computes changes what it takes, and nothing of what it finds but rounding."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from olmeda.base.errors import ConfigError
from olmeda.model.config import ModelConfig
from olmeda.model.segments import Segments
from olmeda.model.transformer import Transformer
from olmeda.train import compute as module
from olmeda.train.compute import ComputeConfig
from olmeda.train.rows import Rows, language_loss
from olmeda.train.step import accumulate
from train.conftest import MODELS


def found(compute: ComputeConfig, shape: str, segments: Segments | None = None) -> Any:
    """The loss and the gradients of one batch."""
    config = ModelConfig.model_validate(MODELS[shape])
    model = Transformer.initialised(config, 1)
    compute.apply(model)
    generator = torch.Generator().manual_seed(0)
    ids, labels = (torch.randint(0, 400, (2, 16), generator=generator) for _ in range(2))
    batch = [Rows(ids, labels, 32, 32, segments)]
    measures = accumulate(model.train(), batch, compute.computing(language_loss(config)))
    return measures["loss"], {n: p.grad for n, p in model.named_parameters()}


@pytest.mark.parametrize("segments", [None, Segments((5, 11, 16))])
@pytest.mark.parametrize("every", [1, 2])
@pytest.mark.parametrize("shape", ["dense", "moe"])
def test_what_is_computed_again_is_the_same_to_the_bit(
    shape: str, every: int, segments: Segments | None
) -> None:
    loss, grads = found(ComputeConfig(device="cpu"), shape, segments)
    again, same = found(ComputeConfig(device="cpu", recompute=every), shape, segments)
    assert again == loss
    assert all(torch.equal(same[name], grad) for name, grad in grads.items())


def kept_bytes(compute: ComputeConfig) -> int:
    """Bytes that a forward pass keeps for the way back, parameters left out."""
    config = ModelConfig.model_validate({**MODELS["dense"], "layers": 8})
    model = Transformer.initialised(config, 1)
    compute.apply(model)
    params = {p.data_ptr() for p in model.parameters()}
    kept: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        if tensor.data_ptr() not in params:
            kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        hidden = model(torch.zeros(4, 32, dtype=torch.int64))
    assert hidden.h_BTD.requires_grad
    return sum(kept.values())


def test_a_block_that_is_computed_again_keeps_its_input_alone() -> None:
    all_kept, none_kept = (kept_bytes(ComputeConfig(device="cpu", recompute=n)) for n in (0, 1))
    stream = 4 * 32 * 16 * 4
    assert none_kept <= all_kept / 4
    assert none_kept <= (8 + 4) * stream


@pytest.mark.parametrize("shape", ["dense", "moe"])
def test_bf16_is_near_fp32_and_keeps_weights_and_gradients_in_fp32(
    shape: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "has_bf16_units", lambda: True)
    loss, grads = found(ComputeConfig(device="cpu"), shape)
    near, rough = found(ComputeConfig(device="cpu", precision="bf16"), shape)
    assert near == pytest.approx(loss, rel=1e-3)
    assert near != loss
    for name, grad in grads.items():
        assert rough[name].dtype == torch.float32
        assert (rough[name] - grad).norm() <= 0.05 * grad.norm(), name


def test_bf16_is_refused_where_it_would_be_emulated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "has_bf16_units", lambda: False)
    with pytest.raises(ConfigError, match=r"no bf16 units.*48 times slower"):
        ComputeConfig(device="cpu", precision="bf16").is_bf16()
    assert not ComputeConfig(device="cpu").is_bf16()


@pytest.mark.skipif(torch.cuda.is_available(), reason="asks for a GPU that is not there")
def test_a_device_that_is_not_there_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"torch sees no GPU; say compute\.device=cpu"):
        ComputeConfig(device="cuda").where()
    assert ComputeConfig().where() == "cpu"


@pytest.mark.slow
@pytest.mark.parametrize("recompute", [0, 1])
def test_compiled_blocks_compute_the_same(recompute: int) -> None:
    loss, grads = found(ComputeConfig(device="cpu"), "dense")
    near, close = found(ComputeConfig(device="cpu", compile=True, recompute=recompute), "dense")
    assert near == pytest.approx(loss, rel=1e-6)
    for name, grad in grads.items():
        torch.testing.assert_close(close[name], grad, rtol=1e-4, atol=1e-6)
