"""The pass over the tensors: each input is read once, however many models are written."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import numpy as np

from olmeda.artifacts.tensors import Slot, TensorWriter, read_slot
from olmeda.base.errors import InputError
from olmeda.base.files import digest_value
from olmeda.base.log import progress
from olmeda.base.registry import Spec
from olmeda.merge.plan import Work
from olmeda.merge.registries import merge_method

Origin = Literal["base", "zero"]
BadValues = Literal["refuse", "base"]
Combine = Callable[[str, list[np.ndarray]], np.ndarray]
"""``combine(tensor name, deltas) -> delta``: a method with its parameters and weights."""


def combiner(method: Spec, weights: Mapping[int, float], seed: int) -> Combine:
    """The method with its weights: ``weights`` maps a model's place in the deltas to its weight.

    Models without a weight are left out. Random methods get a seed for each tensor name. Raises
    ConfigError for an unknown method or parameter.
    """
    chosen = {"weights": list(weights.values())}
    bound = merge_method.bind({"name": method.name, **method.params, **chosen})
    draws = "seed" in merge_method.get(method.name).parameters

    def combine(name: str, deltas: list[np.ndarray]) -> np.ndarray:
        mine = [deltas[i] for i in weights]
        keyed = {"seed": tensor_seed(seed, name)} if draws else {}
        merged: np.ndarray = bound(mine, **keyed)
        return merged

    return combine


def tensor_seed(seed: int, name: str) -> int:
    """The 64-bit key of the random numbers for one tensor."""
    return int(digest_value([seed, name])[:16], 16)


def normalizes(method: Spec) -> bool:
    """Whether the method divides by the sum of the weights."""
    parameter = merge_method.get(method.name).parameters.get("normalize")
    if parameter is None:
        return method.name == "slerp"
    return bool(method.params.get("normalize", parameter.default))


def merge_tensors(
    work: Sequence[Work],
    outputs: Mapping[str, tuple[TensorWriter, Combine]],
    origin: Origin,
    bad_values: BadValues,
) -> int:
    """Merge every tensor into every output; return how many bad values the base replaced.

    Arithmetic is float32 for 16-bit tensors and float64 for float32 ones: a difference of two
    float32 numbers is in general none, and adding it back must give the model again.
    """
    replaced = 0
    for item in progress(work, "merge"):
        wide = np.float32 if item.dtype in ("F16", "BF16") else np.float64
        base, count = _clean(item.base, item.name, bad_values, None)
        anchor = base.astype(wide)
        deltas = []
        for source in item.sources:
            values, found = _clean(source, item.name, bad_values, base)
            count += found
            deltas.append(values - anchor if origin == "base" else values.astype(wide))
        for writer, combine in outputs.values():
            merged = combine(item.name, deltas)
            writer.write(item.name, anchor + merged if origin == "base" else merged)
        replaced += count
    return replaced


def _clean(
    slot: Slot, name: str, bad_values: BadValues, base: np.ndarray | None
) -> tuple[np.ndarray, int]:
    """The tensor with the base's value where its own is NaN or infinite, and how many were.

    Raises InputError where such values are refused.
    """
    values = read_slot(slot)
    wrong = ~np.isfinite(values)
    count = int(wrong.sum())
    if not count:
        return values, 0
    if bad_values == "refuse" or base is None:
        remedy = "" if base is None else ", or say bad_values: base to keep the base's values there"
        raise InputError(
            f"{slot.file}: {name} holds {count} NaN or infinite values of {values.size}; "
            f"use an earlier checkpoint{remedy}"
        )
    return np.where(wrong, base, values), count
