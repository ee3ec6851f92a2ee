"""Mixtures of experts that our model room does not know, run by transformers.

Only families whose router takes the largest K of its logits are read: where a bias or a limit on
groups enters the choice, the logits alone do not tell it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from olmeda.base.errors import ArtifactError, unknown
from olmeda.model.hf_config import FAMILIES
from olmeda.routing.routes import Router

KNOWN = ("mixtral", "qwen2_moe", "qwen3_moe")
"""Values of ``model_type``."""
COUNTS = ("num_experts", "num_local_experts")
"""Where a configuration keeps the number of experts: it differs by family and version."""


def is_foreign(config: Mapping[str, Any]) -> bool:
    """Whether a ``config.json`` is of a family that only transformers can run."""
    ours = {family.model_type for family in FAMILIES} | {"olmeda"}
    return config.get("model_type") not in ours


def open_foreign(folder: Path, config: Mapping[str, Any]) -> Router:
    """Open a checkpoint with transformers, in float32.

    Raises ArtifactError for a family whose choice cannot be read from its logits.
    """
    kind = str(config.get("model_type"))
    if kind not in KNOWN:
        raise ArtifactError(f"{folder}: {unknown('mixture of experts', kind, KNOWN)}")
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, local_files_only=True, trust_remote_code=False
    ).eval()
    experts = next(int(config[name]) for name in COUNTS if name in config)
    chosen = int(config["num_experts_per_tok"])

    def read(ids_BT: Tensor) -> tuple[Tensor, Tensor]:
        out = model(input_ids=ids_BT, output_router_logits=True, use_cache=False)
        picked = [logits.flatten(0, -2).topk(chosen, -1).indices for logits in out.router_logits]
        return torch.stack(picked, 1), out.logits.flatten(0, 1).argmax(-1)

    return Router(read, _sparse_layers(config), experts, int(config["max_position_embeddings"]))


def _sparse_layers(config: Mapping[str, Any]) -> list[int]:
    """The layers with experts, as Qwen's configurations leave some dense; others have them all."""
    step = int(config.get("decoder_sparse_step") or 1)
    dense = config.get("mlp_only_layers") or []
    count = int(config["num_hidden_layers"])
    return [n for n in range(count) if n not in dense and (n + 1) % step == 0]
