"""merge.pick: the chosen model of a sweep as a plain checkpoint."""

from __future__ import annotations

import shutil
from pathlib import Path

from olmeda.artifacts.checkpoint import Checkpoint
from olmeda.artifacts.lineage import Making, check
from olmeda.artifacts.tensors import slots_of
from olmeda.artifacts.verb import verb
from olmeda.base.config import ArtifactPath, Config
from olmeda.base.errors import ArtifactError, ConfigError, unknown
from olmeda.base.files import read_json
from olmeda.merge.compare import RESULT


class PickConfig(Config, frozen=True):
    """Settings of merge.pick: a sweep, the comparison that chose from it, and the skill."""

    sweep: ArtifactPath
    compare: ArtifactPath
    skill: str


@verb("merge.pick", makes="checkpoint")
def pick(config: PickConfig, making: Making) -> None:
    """Take the checkpoint of a sweep that a comparison chose."""
    check(config.sweep, "sweep")
    check(config.compare, "scores")
    system, weight = chosen(config.compare, config.skill)
    if not (config.sweep / system).is_dir():
        held = sorted(p.name for p in config.sweep.iterdir() if p.is_dir())
        raise ArtifactError(f"{config.sweep}: {unknown('model', system, held)}")
    shutil.copytree(config.sweep / system, making.path, dirs_exist_ok=True)
    slots = slots_of(Checkpoint.open(making.path)).values()
    making.counts |= {"weight": weight, "parameters": sum(slot.size for slot in slots)}


def chosen(compare: Path, skill: str) -> tuple[str, float]:
    """The system and weight that a comparison chose for ``skill``. Raises ConfigError if none."""
    skills = read_json(compare / RESULT)["skills"]
    if skill not in skills:
        raise ConfigError(f"skill: {unknown('compared skill', skill, skills)}")
    choice = skills[skill]["chosen"]
    return str(choice["system"]), float(choice["weight"])
