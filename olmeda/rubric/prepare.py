"""rubric.prepare: choose items and texts for people to rate, and hide who wrote them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from pydantic import Field

from olmeda.artifacts.examples import Output, read_outputs
from olmeda.artifacts.lineage import Making
from olmeda.artifacts.verb import verb
from olmeda.base.config import ArtifactPath, Config
from olmeda.base.errors import InputError, unknown
from olmeda.rubric.rubric import load_rubric, read_rubric
from olmeda.rubric.session import blind_units, deal, write_session


class PrepareConfig(Config, frozen=True):
    """What to have rated, by which rubric, and how many raters to plan for."""

    outputs: list[ArtifactPath]
    """Folders with ``outputs.jsonl`` (evals.run)."""
    task: str
    systems: list[str] = []
    """Systems to rate; none named: all of them."""
    items: int = Field(30, ge=1)
    """How many items to draw; every chosen system's text of an item is rated."""
    rubric: str = "thumb_text"
    rubric_file: ArtifactPath | None = None
    """A rubric of your own, instead of one that comes with the package."""
    raters: int = Field(2, ge=1)
    raters_overlap: float = Field(0.3, ge=0, le=1)
    """The share of items that every rater rates, so that agreement can be measured."""
    seed: int = 0


@verb("rubric.prepare", makes="session")
def prepare(config: PrepareConfig, making: Making) -> None:
    """Prepare a blind rating session over outputs."""
    where = " + ".join(str(p) for p in config.outputs)
    rubric = read_rubric(config.rubric_file) if config.rubric_file else load_rubric(config.rubric)
    answers = answers_of(read_outputs(config.outputs), config.task, config.systems, where)
    rng = np.random.default_rng(config.seed)
    common = [i for i in next(iter(answers.values())) if all(i in a for a in answers.values())]
    if not common:
        raise InputError(f"{where}: the systems share no item of {config.task}; nothing to compare")
    drawn = rng.permutation(len(common))[: config.items]
    items = [common[i] for i in sorted(drawn)]
    units, key = blind_units([a[i] for i in items for a in answers.values()], rng)
    plan = deal(items, config.raters, config.raters_overlap, rng)
    write_session(making.path, rubric, config.task, config.seed, plan, units, key)
    making.counts["items"] = len(items)
    making.counts["systems"] = len(answers)
    making.counts["texts"] = len(units)
    making.counts["shared_items"] = len(plan.shared)


def answers_of(
    outputs: Iterator[Output], task: str, systems: Sequence[str], where: str
) -> dict[str, dict[str, Output]]:
    """Outputs of one task by system and item, systems in the wanted order.

    Raises InputError for an unknown task or system and for an item answered twice.
    """
    found: dict[str, dict[str, Output]] = {}
    tasks: dict[str, None] = {}
    for output in outputs:
        tasks[output.task] = None
        if output.task != task:
            continue
        held = found.setdefault(output.system, {})
        if output.item in held:
            raise InputError(f"{where}: {output.system!r} answers item {output.item!r} twice")
        held[output.item] = output
    if not found:
        raise InputError(f"{where}: {unknown('task', task, tasks)}")
    for name in systems:
        if name not in found:
            raise InputError(f"{where}: {unknown('system', name, found)}")
    return {name: found[name] for name in systems or found}
