"""Checkpoints in the layout of transformers, both ways, with the computation unchanged."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from olmeda.artifacts.checkpoint import Checkpoint, copy_tokenizer
from olmeda.artifacts.weights import SHARD_BYTES, write_weights
from olmeda.base.errors import ArtifactError, ResourceError
from olmeda.base.files import write_json
from olmeda.base.log import say
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
    whole: Callable[[Tensor], Tensor] | None = None,
    writes: bool = True,
) -> None:
    """Write weights, configuration and the files of ``tokenizer`` into ``folder``.

    ``AutoModelForCausalLM.from_pretrained(folder)`` computes the same logits, unless an option is
    used that no architecture of transformers has: then the layout is our own, and a line says so.
    ``whole`` makes a parameter whole that is spread over processes: all of them call this, those
    without ``writes`` only help, so that no process holds more than one whole parameter.
    """
    named = tensors(model, parts(model.config), whole)
    if not writes:
        for _ in named:
            pass
        return
    if family_of(model.config) is None:
        say(
            f"{folder}: saved as model_type olmeda, which transformers cannot open; what each of "
            f"its architectures lacks: {why_own(model.config)}"
        )
    special = special_ids(tokenizer)
    values = to_hf(model.config, special) | {"dtype": dtype}
    write_model(folder, values, model, parts(model.config), named, tokenizer, shard_bytes)
    write_json(
        folder / "generation_config.json",
        {f"{name}_token_id": special[name] for name in ("bos", "eos", "pad")},
    )


def tensors(
    model: nn.Module, found: list[Part], whole: Callable[[Tensor], Tensor] | None = None
) -> Iterator[tuple[str, Tensor]]:
    """Names and values on disk, one parameter made whole after the other."""
    held = model.state_dict(keep_vars=True)
    for parameter, of_one in groupby(found, key=lambda part: part.parameter):
        value = held[parameter].detach()
        if whole is not None:
            value = whole(value)
        for part in of_one:
            yield part.name, part.of(value)


def write_model(
    folder: Path,
    config: Mapping[str, Any],
    model: nn.Module,
    found: list[Part],
    named: Iterator[tuple[str, Tensor]],
    tokenizer: Path,
    shard_bytes: int = SHARD_BYTES,
) -> None:
    """Write a checkpoint from a config.json's content and tensors in the order of ``found``."""
    copy_tokenizer(tokenizer, folder)
    write_json(folder / "config.json", dict(config))
    shapes = {n: tuple(t.shape) for n, t in views(model, found).items()}
    layout = {name: (DTYPES[config["dtype"]], shape) for name, shape in shapes.items()}
    arrays = ((name, _array(tensor)) for name, tensor in named)
    write_weights(folder, layout, arrays, shard_bytes)


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.cpu().float().numpy()


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
    spare = ("lm_head.weight",) if config.tied else ()
    fill(checkpoint, lambda stacked: views(model, parts(config, stacked=stacked)), spare)
    return model.eval()


def fill(
    checkpoint: Checkpoint,
    targets: Callable[[bool], Mapping[str, Tensor]],
    spare: Sequence[str] = (),
) -> None:
    """Read every tensor of ``checkpoint`` into its view, piece by piece.

    ``targets(stacked_experts)`` gives the views, ``spare`` names what may be there unread. Raises
    ArtifactError where names or shapes differ.
    """
    stacked = any(".experts." in n and n.endswith("_proj") for n in checkpoint.names)
    wanted = targets(stacked)
    held = [n for n in checkpoint.names if not n.endswith(COMPUTED)]
    extra = [n for n in held if n not in wanted and n not in spare]
    missing = [n for n in wanted if n not in checkpoint.files]
    if missing or extra:
        problem = f"lacks {missing[0]!r}" if missing else f"has a tensor {extra[0]!r} too many"
        raise ArtifactError(
            f"{checkpoint.path}: {problem}; its config.json tells of another model "
            f"({len(missing)} missing, {len(extra)} unknown)"
        )
    read_into(checkpoint, wanted)
