"""merge.sweep: a merged model at every weight, all from one pass over the inputs."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Literal

import msgspec
from pydantic import Field

from olmeda.artifacts.checkpoint import WEIGHTS, Checkpoint
from olmeda.artifacts.lineage import Making
from olmeda.artifacts.tensors import TensorWriter
from olmeda.artifacts.verb import verb
from olmeda.base.config import ArtifactPath, Config
from olmeda.base.errors import ConfigError
from olmeda.base.files import write_json
from olmeda.base.registry import Spec
from olmeda.merge.apply import Dtype, layout, write_frame
from olmeda.merge.plan import bytes_to_write, check_weights, plan, require_space
from olmeda.merge.registries import MethodSpec
from olmeda.merge.stream import BadValues, Origin, combiner, merge_tensors, normalizes

Weighting = Literal["added", "shared"]
INDEX = "sweep.json"


class SweepConfig(Config, frozen=True):
    """Settings of merge.sweep.

    ``weighting``: ``added`` keeps the general model at 1 and gives each skill the swept weight
    (Merge to Learn's task arithmetic); ``shared`` gives the general model ``1 - w`` and splits
    ``w`` among the skills (its linear interpolation).
    """

    base: ArtifactPath
    general: ArtifactPath
    skills: dict[str, ArtifactPath] = Field(min_length=1)
    weights: list[float] = Field(min_length=1)
    method: MethodSpec = Spec(name="task_arithmetic")
    weighting: Weighting = "added"
    origin: Origin = "base"
    dtype: Dtype = "as stored"
    bad_values: BadValues = "refuse"
    seed: int = 0


class Swept(msgspec.Struct, frozen=True):
    """One model of a sweep: its folder, the skills in it, the swept weight, and all weights."""

    system: str
    skills: list[str]
    weight: float
    weights: dict[str, float]


@verb("merge.sweep", makes="sweep")
def sweep(config: SweepConfig, making: Making) -> None:
    """Merge at every weight of a sweep in one pass."""
    swept = points(list(config.skills), config.weights, config.weighting)
    for point in swept:
        check_weights(point.weights, normalizes(config.method))
    base = Checkpoint.open(config.base)
    paths = {"general": config.general} | config.skills
    models = {name: Checkpoint.open(path) for name, path in paths.items()}
    work = plan(base, models, config.dtype)
    require_space(making.path, bytes_to_write(work) * len(swept))
    with contextlib.ExitStack() as open_files:
        outputs = {}
        for point in swept:
            folder = making.path / point.system
            write_frame(base, folder, config.dtype)
            writer = open_files.enter_context(TensorWriter(folder / WEIGHTS, layout(work)))
            weights = {list(models).index(name): w for name, w in point.weights.items()}
            outputs[point.system] = (writer, combiner(config.method, weights, config.seed))
        replaced = merge_tensors(work, outputs, config.origin, config.bad_values)
    write_json(making.path / INDEX, swept)
    making.counts |= {"models": len(swept), "parameters": sum(w.base.size for w in work)}
    if replaced:
        making.counts["values_replaced"] = replaced


def points(skills: Sequence[str], swept: Sequence[float], weighting: Weighting) -> list[Swept]:
    """Every model of a sweep: each skill alone at each weight, then all skills together.

    Raises ConfigError where two weights would share a folder.
    """
    groups = {skill: [skill] for skill in skills}
    together = "both" if len(skills) == 2 else "all"
    if taken := [name for name in ("general", together) if name in groups]:
        raise ConfigError(f"skills.{taken[0]}: the sweep uses this name itself; choose another")
    if len(skills) > 1:
        groups[together] = list(skills)
    found = []
    for prefix, held in groups.items():
        for weight in swept:
            general = 1.0 if weighting == "added" else 1.0 - weight
            share = weight if weighting == "added" else weight / len(held)
            mixed = {"general": general} | dict.fromkeys(held, share)
            found.append(Swept(f"{prefix}-{weight:.2f}", held, weight, mixed))
    names = [point.system for point in found]
    if twice := [n for n in names if names.count(n) > 1]:
        raise ConfigError(
            f"weights: the sweep would make {twice[0]!r} twice; folders are named with two "
            "decimals, so give weights that differ there"
        )
    return found
