"""Checkpoints in the layout of transformers, both ways, with the computation unchanged."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from olmeda.artifacts.checkpoint import Checkpoint, write_checkpoint
from olmeda.base.errors import ArtifactError
from olmeda.base.files import write_json
from olmeda.model.hf_config import from_hf, special_ids, to_hf
from olmeda.model.hf_names import views
from olmeda.model.transformer import Transformer

COMPUTED = ("rotary_emb.inv_freq",)
"""Endings of tensors that old checkpoints hold and nothing needs."""


def save(model: Transformer, folder: Path, tokenizer: Path) -> None:
    """Write weights (float32), configuration and the files of ``tokenizer`` into ``folder``.

    ``AutoModelForCausalLM.from_pretrained(folder)`` computes the same logits.
    """
    special = special_ids(tokenizer)
    write_model(folder, to_hf(model.config, special), views(model), tokenizer)
    write_json(
        folder / "generation_config.json",
        {f"{name}_token_id": special[name] for name in ("bos", "eos", "pad")},
    )


def write_model(
    folder: Path, config: Mapping[str, Any], tensors: Mapping[str, Tensor], tokenizer: Path
) -> None:
    """Write a checkpoint from named tensors and a config.json's content."""
    arrays = {name: t.detach().cpu().float().numpy() for name, t in tensors.items()}
    write_checkpoint(folder, config, arrays, tokenizer)


def load(folder: Path) -> Transformer:
    """Open a checkpoint of ours or of transformers, in float32 and evaluation mode.

    Raises ArtifactError for an architecture, a tensor or a shape that does not fit.
    """
    checkpoint = Checkpoint.open(folder)
    model = Transformer(from_hf(checkpoint.config, str(folder / "config.json")))
    fill(checkpoint, lambda fused: views(model, fused))
    return model.eval()


@torch.no_grad()
def fill(checkpoint: Checkpoint, targets: Callable[[bool], Mapping[str, Tensor]]) -> None:
    """Copy every tensor of ``checkpoint`` into its view, one at a time.

    ``targets(fused_experts)`` gives the views. Raises ArtifactError where names or shapes differ.
    """
    fused = any(name.endswith("experts.gate_up_proj") for name in checkpoint.names)
    wanted = targets(fused)
    held = [n for n in checkpoint.names if not n.endswith(COMPUTED)]
    tied = checkpoint.config.get("tie_word_embeddings") and "lm_head.weight" not in wanted
    extra = [n for n in held if n not in wanted and not (tied and n == "lm_head.weight")]
    missing = [n for n in wanted if n not in checkpoint.files]
    if missing or extra:
        problem = f"lacks {missing[0]!r}" if missing else f"has a tensor {extra[0]!r} too many"
        raise ArtifactError(
            f"{checkpoint.path}: {problem}; its config.json tells of another model "
            f"({len(missing)} missing, {len(extra)} unknown)"
        )
    for file in dict.fromkeys(checkpoint.files.values()):
        try:
            with safe_open(file, framework="pt") as tensors:
                for name in tensors.keys():  # noqa: SIM118 (no dict)
                    if name in wanted:
                        _copy(tensors.get_tensor(name), wanted[name], f"{file}: {name}")
        except SafetensorError as problem:
            raise ArtifactError(f"{file}: {problem}") from None


def _copy(tensor: Tensor, target: Tensor, where: str) -> None:
    if tensor.shape != target.shape:
        has, needs = list(tensor.shape), list(target.shape)
        raise ArtifactError(f"{where} is {has}, but config.json asks for {needs}")
    target.copy_(tensor)
