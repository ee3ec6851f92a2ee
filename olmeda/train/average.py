"""``train.average``: the mean of checkpoints, tensor by tensor, each element rounded once.

OLMo 2's last stage was run three times with different data orders and averaged ("souped"); the
last checkpoints of one run are averaged likewise.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, model_validator

from olmeda.artifacts.checkpoint import Checkpoint, copy_tokenizer
from olmeda.artifacts.lineage import Making
from olmeda.artifacts.tensors import Slot, read_slot, slots_of
from olmeda.artifacts.verb import verb
from olmeda.artifacts.weights import write_weights
from olmeda.base.config import ArtifactPath, Config
from olmeda.base.errors import ArtifactError, InputError
from olmeda.base.files import write_json
from olmeda.base.log import progress

GENERATION = "generation_config.json"
STORED_AS = {"float32": "F32", "bfloat16": "BF16"}
NOT_OF_THE_MODEL = ("dtype", "torch_dtype", "transformers_version", "_name_or_path")
"""Keys of config.json in which checkpoints of one model may differ."""


class AverageConfig(Config, frozen=True):
    """Which checkpoints are averaged, and with what weights."""

    checkpoints: Annotated[tuple[ArtifactPath, ...], Field(min_length=1)]
    """Of one model and one tokenizer; configuration and tokenizer are those of the first."""
    weights: tuple[Annotated[float, Field(ge=0)], ...] | None = None
    """One for each, divided by their sum; absent: all count the same."""
    dtype: Literal["as stored", "float32", "bfloat16"] = "as stored"
    """What the mean is stored as; computed in float64 whatever is stored."""

    @model_validator(mode="after")
    def _one_weight_each(self) -> AverageConfig:
        if self.weights is None:
            return self
        if len(self.weights) != len(self.checkpoints) or not sum(self.weights):
            raise ValueError(
                f"{len(self.weights)} weights for {len(self.checkpoints)} checkpoints; give one "
                "for each, not all 0, or none"
            )
        return self


@verb("train.average", makes="checkpoint")
def average(config: AverageConfig, making: Making) -> None:
    """Average checkpoints of one model.

    Raises ArtifactError where they are of different models, InputError for a value that is no
    number.
    """
    checkpoints = [Checkpoint.open(path) for path in config.checkpoints]
    slots = [slots_of(checkpoint) for checkpoint in checkpoints]
    for other, found in zip(checkpoints[1:], slots[1:], strict=True):
        require_alike(checkpoints[0], slots[0], other, found)
    first = checkpoints[0]
    copy_tokenizer(first.path, making.path)
    retyped = {} if config.dtype == "as stored" else {"dtype": config.dtype}
    write_json(making.path / "config.json", {**first.config, **retyped})
    if (first.path / GENERATION).is_file():
        shutil.copyfile(first.path / GENERATION, making.path / GENERATION)
    layout = {
        name: (STORED_AS.get(config.dtype, slot.dtype), slot.shape)
        for name, slot in slots[0].items()
    }
    weights = config.weights or (1.0,) * len(checkpoints)
    write_weights(making.path, layout, _means(slots, weights))
    making.counts |= {"checkpoints": len(checkpoints), "tensors": len(layout)}


def mean(tensors: Iterator[np.ndarray], weights: Sequence[float]) -> np.ndarray:
    """The weighted mean in float64, what additions round off carried along (Neumaier 1974).

    So the order of the tensors does not show, and equal ones give themselves.
    """
    total: np.ndarray | None = None
    lost = np.zeros(())
    for tensor, weight in zip(tensors, weights, strict=True):
        value = tensor.astype(np.float64) * weight
        if total is None:
            total, lost = value, np.zeros_like(value)
            continue
        after = total + value
        larger = np.abs(total) >= np.abs(value)
        lost += np.where(larger, (total - after) + value, (value - after) + total)
        total = after
    assert total is not None
    return np.asarray((total + lost) / np.sum(weights))


def _means(
    slots: Sequence[Mapping[str, Slot]], weights: Sequence[float]
) -> Iterator[tuple[str, np.ndarray]]:
    """Each tensor's mean, one after the other: memory is a few tensors, not a model."""
    for name in progress(list(slots[0]), "average"):
        yield name, mean((_finite(held[name], name) for held in slots), weights)


def _finite(slot: Slot, name: str) -> np.ndarray:
    values = read_slot(slot)
    if not np.isfinite(values).all():
        raise InputError(
            f"{slot.file}: {name} holds NaN or infinite values; leave that checkpoint out"
        )
    return values


def require_alike(
    first: Checkpoint, slots: Mapping[str, Slot], other: Checkpoint, found: Mapping[str, Slot]
) -> None:
    """Raise ArtifactError unless two checkpoints are of one model and one tokenizer."""
    mine, theirs = (_model_of(c.config) for c in (first, other))
    for key in {**mine, **theirs}:
        if mine.get(key) != theirs.get(key):
            raise ArtifactError(
                f"{other.path}: config.json says {key} {theirs.get(key)}, that of {first.path} "
                f"{mine.get(key)}; only checkpoints of one model have a mean"
            )
    for name in {**slots, **found}:
        shapes = [held[name].shape if name in held else None for held in (slots, found)]
        if shapes[0] != shapes[1]:
            raise ArtifactError(
                f"{other.path}: {name} is {shapes[1]}, and {shapes[0]} in {first.path}; only "
                "checkpoints of one model have a mean"
            )
    if first.tokenizer_digest() != other.tokenizer_digest():
        raise ArtifactError(f"{other.path}: has another tokenizer than {first.path}")


def _model_of(config: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in config.items() if key not in NOT_OF_THE_MODEL}
