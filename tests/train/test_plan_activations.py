from __future__ import annotations

from typing import Any

import pytest
import torch

from olmeda.model.config import ModelConfig
from olmeda.model.loss import lm_loss
from olmeda.model.transformer import Transformer
from olmeda.train.plan.activations import layer_numbers

SHAPE = {"vocab_size": 512, "width": 64, "heads": 4, "mlp_width": 192, "sequence": 64}
CONFIGS: dict[str, dict[str, Any]] = {
    "after": {},
    "before": {"norm_place": "before"},
    "no qk norm": {"norm_place": "before", "qk_norm": "none"},
    "grouped": {"kv_heads": 2},
    "wide heads": {"head_dim": 32},
    "experts": {"experts": {"count": 8, "chosen": 2}, "norm_place": "before"},
    "many experts": {"experts": {"count": 16, "chosen": 4}, "mlp_width": 96},
}


def kept_bytes(config: ModelConfig, rows: int, tokens: int) -> int:
    """Bytes of all storages that autograd keeps after a forward pass, parameters left out."""
    model = Transformer.initialised(config, 0)
    ids_BT = torch.randint(config.vocab_size, (rows, tokens + 1))
    own = {p.untyped_storage().data_ptr() for p in model.parameters()}
    seen: dict[int, tuple[int, torch.Tensor]] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            seen[storage.data_ptr()] = (storage.nbytes(), tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = lm_loss(model, ids_BT[:, :-1], ids_BT[:, 1:])
        total = loss.nll_sum + loss.balance + loss.router_z
    assert total.requires_grad
    return sum(size for size, _ in seen.values())


@pytest.mark.parametrize("name", CONFIGS)
def test_what_a_layer_keeps_is_what_autograd_keeps(name: str) -> None:
    values = {**SHAPE, **CONFIGS[name]}
    two, three = (ModelConfig.model_validate({**values, "layers": n}) for n in (2, 3))
    measured = kept_bytes(three, 2, 64) - kept_bytes(two, 2, 64)
    assert 4 * 128 * layer_numbers(three, 1, kernels=True) == pytest.approx(measured, rel=0.03)
