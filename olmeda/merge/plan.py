"""Preflight: everything that can be known wrong before a tensor is read, and the list of work."""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from olmeda.artifacts.checkpoint import Checkpoint
from olmeda.artifacts.tensors import STORED, Slot, slots_of
from olmeda.base.errors import ConfigError, InputError, ResourceError

MEANING = (
    "model_type",
    "tie_word_embeddings",
    "num_attention_heads",
    "num_key_value_heads",
    "rope_theta",
    "rope_scaling",
    "rms_norm_eps",
    "hidden_act",
    "num_experts_per_tok",
    "norm_topk_prob",
)
"""Keys of config.json that change what equal shapes compute; models to merge must agree on them."""
HEAD = "lm_head.weight"
AS_STORED = "as stored"


@dataclass(frozen=True)
class Work:
    """One tensor to merge: its name, the dtype to write, and where the base and models hold it."""

    name: str
    dtype: str
    base: Slot
    sources: tuple[Slot, ...]


def plan(base: Checkpoint, models: Mapping[str, Checkpoint], dtype: str = AS_STORED) -> list[Work]:
    """What to merge, in the base's file order. Reads headers and configurations only.

    ``dtype``: the format's name of the type to write (``F32``); ``as stored`` keeps each tensor's
    own. Raises InputError listing every disagreement between a model and the base: tokenizers,
    configurations, tensors missing, extra, of another shape or type.
    """
    held = slots_of(base)
    faults = _own_faults(base, held)
    found: dict[str, dict[str, Slot]] = {}
    for name, model in models.items():
        found[name] = slots_of(model)
        faults += [f"{model.path} ({name}): {f}" for f in _config_faults(base, model)]
        faults += [
            f"{model.path} ({name}): {f}"
            for f in _tensor_faults(held, found[name], dtype == AS_STORED)
        ]
    if faults:
        raise InputError(
            f"these models cannot be merged onto {base.path}:\n  " + "\n  ".join(faults)
        )
    return [
        Work(
            n,
            slot.dtype if dtype == AS_STORED else dtype,
            slot,
            tuple(f[n] for f in found.values()),
        )
        for n, slot in held.items()
    ]


def _own_faults(base: Checkpoint, held: Mapping[str, Slot]) -> list[str]:
    wrong = [f"{base.path}: {n} has type {s.dtype}; merging takes {', '.join(STORED)}"
             for n, s in held.items() if s.dtype not in STORED]  # fmt: skip
    if base.config.get("tie_word_embeddings") and HEAD in held:
        wrong.append(
            f"{base.path}: config.json ties the embeddings, yet {HEAD} is stored and a loader "
            "would ignore it; set tie_word_embeddings or remove the tensor"
        )
    return wrong


def _config_faults(base: Checkpoint, model: Checkpoint) -> Iterator[str]:
    for key in MEANING:
        ours, theirs = base.config.get(key), model.config.get(key)
        if ours != theirs:
            yield f"config.json says {key} {theirs!r}, the base {ours!r}"
    if base.tokenizer_digest() != model.tokenizer_digest():
        yield "has another tokenizer.json than the base; its token ids mean other text"


def _tensor_faults(
    held: Mapping[str, Slot], found: Mapping[str, Slot], as_stored: bool
) -> Iterator[str]:
    if missing := [n for n in held if n not in found]:
        yield f"lacks {_some(missing)}"
    if extra := [n for n in found if n not in held]:
        yield f"has {_some(extra)}, which the base lacks"
    for name in (n for n in held if n in found):
        ours, theirs = held[name], found[name]
        if ours.shape != theirs.shape:
            yield f"{name} has shape {list(theirs.shape)}, in the base {list(ours.shape)}"
        if theirs.dtype not in STORED or (as_stored and ours.dtype != theirs.dtype):
            yield (
                f"{name} is {theirs.dtype}, in the base {ours.dtype}; say which to write, "
                "for example dtype: F32"
            )


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def check_weights(weights: Mapping[str, float], normalizes: bool) -> None:
    """Raise ConfigError for weights that are not finite, or sum to 0 where they are divided by."""
    for name, weight in weights.items():
        if not math.isfinite(weight):
            raise ConfigError(f"models.{name}.weight: {weight} is no finite number")
    if normalizes and abs(sum(weights.values())) < 1e-12:
        raise ConfigError(
            f"the weights {list(weights.values())} sum to 0 and the method divides by their sum: "
            "every tensor would be infinite; change a weight, or say normalize: false"
        )


def bytes_to_write(work: Sequence[Work]) -> int:
    """The size of one merged model's tensors in bytes."""
    return sum(w.base.size * np.dtype(STORED[w.dtype]).itemsize for w in work)


def require_space(folder: Path, needed: int) -> None:
    """Raise ResourceError if the disk of ``folder`` has less than ``needed`` bytes free."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise ResourceError(
            f"{folder}: the merge writes {needed / 1e6:,.0f} MB and {free / 1e6:,.0f} MB are free; "
            "make room or choose another disk"
        )
