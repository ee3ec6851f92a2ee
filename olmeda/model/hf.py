"""Checkpoints in the layout of transformers, both ways, with the computation unchanged."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from olmeda.artifacts.checkpoint import Checkpoint, copy_tokenizer
from olmeda.artifacts.weights import SHARD_BYTES, write_weights
from olmeda.base.errors import ArtifactError, ResourceError
from olmeda.base.files import write_json
from olmeda.base.log import say
from olmeda.model.config import ModelConfig
from olmeda.model.hf_config import from_hf, special_ids, to_hf
from olmeda.model.hf_families import family_of, why_own
from olmeda.model.hf_names import Part, parts, views
from olmeda.model.stream import read_into
from olmeda.model.transformer import Transformer

COMPUTED = ("rotary_emb.inv_freq",)
"""Endings of tensors that old checkpoints hold and nothing needs."""
DTYPES = {"float32": "F32", "bfloat16": "BF16"}
"""What weights can be saved as, in the words of config.json and of safetensors."""


def save(
    model: Transformer,
    folder: Path,
    tokenizer: Path,
    *,
    dtype: Literal["float32", "bfloat16"] = "float32",
    shard_bytes: int = SHARD_BYTES,
    state: Mapping[str, Tensor] | None = None,
    whole: Callable[[Tensor], Tensor] | None = None,
    writes: bool = True,
) -> None:
    """Write weights, configuration and the files of ``tokenizer`` into ``folder``.

    ``AutoModelForCausalLM.from_pretrained(folder)`` computes the same logits, unless an option is
    used that no architecture of transformers has: then the layout is our own, and a line says so.
    Where a model is spread over processes, ``whole`` gathers one tensor of its ``state`` (absent:
    its own) after the other: all processes call this, and those without ``writes`` only help, so
    that none holds more than one whole parameter.
    """
    held = model.state_dict(keep_vars=True) if state is None else state
    found = parts(model.config)
    if not writes:
        for _ in _tensors(held, found, whole):
            pass
        return
    if family_of(model.config) is None:
        say(
            f"{folder}: saved as model_type olmeda, which transformers cannot open; what each of "
            f"its architectures lacks: {why_own(model.config)}"
        )
    special = special_ids(tokenizer)
    values = to_hf(model.config, special) | {"dtype": dtype}
    write_model(folder, values, held, found, tokenizer, shard_bytes, whole)
    write_json(
        folder / "generation_config.json",
        {f"{name}_token_id": special[name] for name in ("bos", "eos", "pad")},
    )


def write_model(
    folder: Path,
    config: Mapping[str, Any],
    state: Mapping[str, Tensor],
    found: Sequence[Part],
    tokenizer: Path,
    shard_bytes: int = SHARD_BYTES,
    whole: Callable[[Tensor], Tensor] | None = None,
) -> None:
    """Write a checkpoint from a config.json's content and the parts of a state."""
    copy_tokenizer(tokenizer, folder)
    write_json(folder / "config.json", dict(config))
    layout = {}
    for part in found:
        shape = part.of(torch.empty(state[part.parameter].shape, device="meta")).shape
        layout[part.name] = DTYPES[config["dtype"]], tuple(shape)
    named = _tensors(state, found, whole)
    arrays = ((name, tensor.cpu().float().numpy()) for name, tensor in named)
    write_weights(folder, layout, arrays, shard_bytes)


def _tensors(
    state: Mapping[str, Tensor],
    found: Sequence[Part],
    whole: Callable[[Tensor], Tensor] | None,
) -> Iterator[tuple[str, Tensor]]:
    """Names and values on disk, one parameter made whole after the other."""
    for parameter, of_one in groupby(found, key=lambda part: part.parameter):
        value = state[parameter].detach()
        if whole is not None:
            value = whole(value)
        for part in of_one:
            yield part.name, part.of(value)


def load(
    folder: Path, *, dtype: torch.dtype = torch.float32, device: str | torch.device = "cpu"
) -> Transformer:
    """Open a checkpoint of ours or of transformers, in evaluation mode.

    Weights are read straight into the parameters, whatever type they are stored in: memory is that
    of the parameters and a few megabytes. Raises ArtifactError for an architecture, a tensor or a
    shape that does not fit, ResourceError where the memory is not there.
    """
    checkpoint = Checkpoint.open(folder)
    config = from_hf(checkpoint.config, str(folder / "config.json"))
    with torch.device("meta"):
        model = Transformer(config).to(dtype)
    try:
        model = model.to_empty(device=device)
    except RuntimeError as problem:  # torch has no narrower type for this on CPUs
        size = sum(p.numel() * p.itemsize for p in model.parameters()) / 1e9
        raise ResourceError(
            f"{folder}: no memory for {size:.3g} GB of parameters in {dtype} on {device}; free "
            f"some, or load it in a smaller type or elsewhere ({str(problem).splitlines()[0]})"
        ) from None
    model.fill_tables()
    spare = spare_names(config)
    fill(checkpoint, lambda stacked: views(model, parts(config, stacked=stacked)), spare)
    return model.eval()


def spare_names(config: ModelConfig) -> tuple[str, ...]:
    """Tensors that a checkpoint of this model may hold and nothing reads."""
    return ("lm_head.weight",) if config.tied else ()


def stacks_experts(checkpoint: Checkpoint) -> bool:
    """Whether a layer's experts lie in one tensor."""
    return any(".experts." in n and n.endswith("_proj") for n in checkpoint.names)


def fill(
    checkpoint: Checkpoint,
    targets: Callable[[bool], Mapping[str, Tensor]],
    spare: Sequence[str] = (),
) -> None:
    """Read every tensor of ``checkpoint`` into its view, piece by piece.

    ``targets(stacked_experts)`` gives the views, ``spare`` names what may be there unread. Raises
    ArtifactError where names or shapes differ.
    """
    wanted = targets(stacks_experts(checkpoint))
    require_names(checkpoint, wanted, spare)
    read_into(checkpoint, wanted)


def require_names(
    checkpoint: Checkpoint, wanted: Collection[str], spare: Sequence[str] = ()
) -> None:
    """Raise ArtifactError unless a checkpoint holds these tensors and no other but ``spare``."""
    known = set(wanted)
    held = [n for n in checkpoint.names if not n.endswith(COMPUTED)]
    extra = [n for n in held if n not in known and n not in spare]
    missing = [n for n in wanted if n not in checkpoint.files]
    if missing or extra:
        problem = f"lacks {missing[0]!r}" if missing else f"has a tensor {extra[0]!r} too many"
        raise ArtifactError(
            f"{checkpoint.path}: {problem}; its config.json tells of another model "
            f"({len(missing)} missing, {len(extra)} unknown)"
        )
