"""Task instances as a measure of a model that is being trained."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import polars as pl
import torch

from olmeda.evals.answers import answer
from olmeda.evals.local_model import LocalModel, reader
from olmeda.evals.run import questions
from olmeda.model.probe import Probe, probe
from olmeda.model.transformer import Transformer


@probe("tasks")
def tasks(
    tokenizer: Path,
    *,
    instances: Path,
    split: str = "validation",
    families: list[str] | None = None,
    per_family: int = 40,
    batch: int = 32,
) -> Probe:
    """Let the model answer task instances; the mean of each scorer by family.

    Named ``tasks/<split>/<family>/<scorer>``. Of answers that are written,
    ``gold_bits_per_byte_cost`` tells most while a model is young.
    """
    asked = questions(instances, [split], families, per_family)
    read = reader(tokenizer)

    @torch.no_grad()
    def measure(model: Transformer) -> Mapping[str, float]:
        rows = answer("model", LocalModel(model, read, batch), asked).scores
        held = pl.DataFrame([(r.task, r.scorer, r.value) for r in rows],
                            ["task", "scorer", "value"], orient="row")  # fmt: skip
        means = held.group_by("task", "scorer", maintain_order=True).mean()
        return {f"tasks/{task}/{scorer}": value for task, scorer, value in means.rows()}

    return measure
