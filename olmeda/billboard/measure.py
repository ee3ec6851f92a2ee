"""billboard.measure: metrics over what systems generated, as rows of Scores.

Beside ``scores.parquet`` lies ``measure.json``: the signature of each metric (name and version,
library and version, settings) and what is odd about the columns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
from pydantic import field_validator

from olmeda.artifacts.examples import Output, read_outputs
from olmeda.artifacts.lineage import Making
from olmeda.artifacts.scores import Score, write_scores
from olmeda.artifacts.verb import verb
from olmeda.base.config import ArtifactPath, Config
from olmeda.base.errors import InputError, unknown
from olmeda.base.files import write_json
from olmeda.base.log import progress
from olmeda.base.registry import Spec
from olmeda.billboard.alignment import align, check_values, column_faults, text_faults
from olmeda.billboard.registries import Metric, column_name, metric, signature

RECORD = "measure.json"


class Measured(msgspec.Struct, frozen=True):
    """What ``measure.json`` holds: ``signatures`` by column, ``notes`` by task."""

    signatures: dict[str, str]
    notes: dict[str, list[str]]


class MeasureConfig(Config, frozen=True):
    """Which outputs to score with which metrics."""

    outputs: list[ArtifactPath]
    """Folders with ``outputs.jsonl`` (evals.run)."""
    tasks: list[str] = []
    """Tasks to score, such as ``test/generation``; none named: every task found."""
    metrics: list[Spec] = [Spec(name=n) for n in ("bleu", "chrf", "rouge", "token_f1", "length")]

    @field_validator("metrics", mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        return [metric.known(Spec.of(v)) for v in value] if isinstance(value, list) else value


@verb("billboard.measure", makes="scores")
def measure(config: MeasureConfig, making: Making) -> None:
    """Score systems' outputs with metrics."""
    metrics = {column_name(spec): metric.bind(spec) for spec in config.metrics}
    signatures = {column_name(spec): signature(spec) for spec in config.metrics}
    where = " + ".join(str(p) for p in config.outputs)
    tasks = chosen_tasks(align(read_outputs(config.outputs), where), config.tasks, where)
    rows: list[Score] = []
    notes: dict[str, list[str]] = {}
    for task, systems in tasks.items():
        columns = measure_task(systems, metrics, f"{where}, {task}")
        notes[task] = text_faults(systems) + column_faults(columns, list(systems))
        rows += score_rows(task, systems, columns)
    making.counts["values"] = write_scores(making.path, rows)
    write_json(making.path / RECORD, Measured(signatures, notes))
    making.counts["metrics"] = len(metrics)
    making.counts["systems"] = len({name for systems in tasks.values() for name in systems})
    making.counts["items"] = sum(len(next(iter(s.values()))) for s in tasks.values())
    making.counts["notes"] = sum(map(len, notes.values()))


def chosen_tasks(
    found: dict[str, dict[str, list[Output]]], wanted: Sequence[str], where: str
) -> dict[str, dict[str, list[Output]]]:
    """The wanted tasks (all, if none is named). Raises InputError for one that nobody answered."""
    for task in wanted:
        if task not in found:
            raise InputError(f"{where}: {unknown('task', task, found)}")
    if not found:
        raise InputError(f"{where}: no outputs here; nothing can be measured")
    return {task: found[task] for task in wanted or found}


def measure_task(
    systems: Mapping[str, Sequence[Output]], metrics: Mapping[str, Metric], where: str
) -> dict[str, np.ndarray]:
    """Every metric over every aligned output: name -> float64 [systems, items]."""
    flat = [output for outputs in systems.values() for output in outputs]
    texts = [output.text for output in flat]
    references = [[output.reference] for output in flat]
    return {
        name: check_values(name, score(texts, references), len(flat), where).reshape(
            len(systems), -1
        )
        for name, score in progress(list(metrics.items()), "metrics")
    }


def score_rows(
    task: str, systems: Mapping[str, Sequence[Output]], columns: Mapping[str, np.ndarray]
) -> list[Score]:
    """The columns as rows with rater ``metric:<name>``."""
    return [
        Score(system, task, output.item, name, float(value), f"metric:{name}")
        for name, values_SI in columns.items()
        for system, values_I in zip(systems, values_SI)
        for output, value in zip(systems[system], values_I)
    ]
