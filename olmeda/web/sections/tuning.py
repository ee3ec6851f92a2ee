"""Finetuning: what each tuned model started from, how much it saw, and what that took."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from olmeda.web.numerals import duration, memory, short, whole
from olmeda.web.page import Row, Section, table
from olmeda.web.provenance import origin
from olmeda.web.sections.training import LAST, Run, last_loss


def tuning_section(tuned: Mapping[str, Path]) -> Section:
    """One row for each finetuned checkpoint."""
    runs = {name: Run.open(path) for name, path in tuned.items()}
    rows: list[Row] = [
        [name, run.record.verb, _start(run), _count(run, "steps", whole),
         _count(run, "tokens", short), last_loss(run), duration(run.record.seconds),
         memory(run.record.memory_mb)]
        for name, run in runs.items()
    ]  # fmt: skip
    heads = ["<Model", "<Verb", "<From", "Steps", "Tokens", "Loss", "Time", "Peak memory"]
    caption = (
        f"Finetuned models; the loss is the mean of the last {LAST} steps. Losses of different "
        "verbs are different quantities: nats per answer token for sft, nats per pair for "
        "preferences."
    )
    lead = (
        "Every model below starts from a checkpoint of this run; the instances it is taught with "
        "come from documents that are not held out."
    )
    origins = [origin(run.path) for run in runs.values()]
    return Section("tuning", "Finetuning", lead, (table(caption, heads, rows, origins),))


def _start(run: Run) -> str:
    """The folder name of the checkpoint it was tuned from: its first checkpoint input."""
    bases = [Path(i.path).name for i in run.record.inputs if i.kind == "checkpoint"]
    return bases[0] if bases else "–"


def _count(run: Run, name: str, shown: object) -> str:
    assert callable(shown)
    return str(shown(run.record.counts[name])) if name in run.record.counts else "–"
