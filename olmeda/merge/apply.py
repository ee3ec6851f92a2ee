"""merge.apply: one merged checkpoint."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from olmeda.artifacts.checkpoint import WEIGHTS, Checkpoint, copy_tokenizer
from olmeda.artifacts.lineage import Making
from olmeda.artifacts.tensors import TensorWriter
from olmeda.artifacts.verb import verb
from olmeda.base.config import ArtifactPath, Config
from olmeda.base.files import write_json
from olmeda.base.registry import Spec
from olmeda.merge.plan import Work, bytes_to_write, check_weights, plan, require_space
from olmeda.merge.registries import MethodSpec
from olmeda.merge.stream import BadValues, Origin, combiner, merge_tensors, normalizes

Dtype = Literal["as stored", "F32", "F16", "BF16"]
GENERATION = "generation_config.json"
TORCH_NAMES = {"F32": "float32", "F16": "float16", "BF16": "bfloat16"}


class Weighted(Config, frozen=True):
    """A model to merge and its weight."""

    path: ArtifactPath
    weight: float = 1.0


class ApplyConfig(Config, frozen=True):
    """Settings of merge.apply.

    ``base`` gives configuration and tokenizer and, with ``origin: base``, what deltas are taken
    from; with ``origin: zero`` the weights themselves are merged. ``bad_values``: what to
    do about NaN and infinity in a model, refuse them or take the base's value.
    """

    base: ArtifactPath
    models: dict[str, Weighted] = Field(min_length=1)
    method: MethodSpec = Spec(name="task_arithmetic")
    origin: Origin = "base"
    dtype: Dtype = "as stored"
    bad_values: BadValues = "refuse"
    seed: int = 0


@verb("merge.apply", makes="checkpoint")
def apply(config: ApplyConfig, making: Making) -> None:
    """Merge checkpoints by a method and weights."""
    weights = {name: model.weight for name, model in config.models.items()}
    combine = combiner(config.method, dict(enumerate(weights.values())), config.seed)
    check_weights(weights, normalizes(config.method))
    base = Checkpoint.open(config.base)
    models = {name: Checkpoint.open(model.path) for name, model in config.models.items()}
    work = plan(base, models, config.dtype)
    require_space(making.path, bytes_to_write(work))
    write_frame(base, making.path, config.dtype)
    with TensorWriter(making.path / WEIGHTS, layout(work)) as writer:
        replaced = merge_tensors(work, {"": (writer, combine)}, config.origin, config.bad_values)
    making.counts |= {"tensors": len(work), "parameters": sum(w.base.size for w in work)}
    if replaced:
        making.counts["values_replaced"] = replaced


def layout(work: list[Work]) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Name -> (dtype, shape) of the tensors to write, in order."""
    return {w.name: (w.dtype, w.base.shape) for w in work}


def write_frame(base: Checkpoint, folder: Path, dtype: str) -> None:
    """Write what a merged checkpoint has beside its tensors: the base's config and tokenizer."""
    copy_tokenizer(base.path, folder)
    write_json(folder / "config.json", _retyped(base.config, dtype))
    if (base.path / GENERATION).is_file():
        shutil.copyfile(base.path / GENERATION, folder / GENERATION)


def _retyped(config: Mapping[str, Any], dtype: str) -> dict[str, Any]:
    retyped = dict(config)
    for key in ("dtype", "torch_dtype"):
        if dtype in TORCH_NAMES and key in retyped:
            retyped[key] = TORCH_NAMES[dtype]
    return retyped
