"""Pretraining: curves of loss and held-out bits per byte, and the models side by side."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from olmeda.artifacts.checkpoint import read_progress
from olmeda.artifacts.lineage import JOURNAL, Lineage, check
from olmeda.base.files import read_rows
from olmeda.web.curves import averaged, line_panel
from olmeda.web.numerals import decimal, duration, memory, percent, short
from olmeda.web.page import Figure, Row, Section, Table, table
from olmeda.web.provenance import origin
from olmeda.web.sections.perplexity import bits_brief, bits_facts, bits_table, read_bits

HELD_OUT = "heldout/"
"""What the names of held-out measures in ``progress.jsonl`` start with."""


LAST = 10
"""Steps over which a last loss is averaged."""


class Speed(msgspec.Struct, frozen=True):
    """One row of ``journal/speed.jsonl``."""

    step: int
    seconds: float
    tokens_per_second: float
    mfu: float | None = None


@dataclass(frozen=True)
class Run:
    """A training run: its record, what it measured at each logged step, its speed."""

    path: Path
    record: Lineage
    progress: list[dict[str, Any]]
    speeds: list[float]
    utilisation: list[float]
    """Shares of the machine's matrix-product peak; empty where it was not measured."""

    @classmethod
    def open(cls, path: Path) -> Run:
        """Read what the checkpoint at ``path`` says of its training."""
        journal = path / JOURNAL / "speed.jsonl"
        rows = list(read_rows(journal, Speed)) if journal.is_file() else []
        speeds = [row.tokens_per_second for row in rows]
        shares = [row.mfu for row in rows if row.mfu is not None]
        return cls(path, check(path, "checkpoint"), read_progress(path), speeds, shares)

    def points(self, measure: str) -> list[tuple[float, float]]:
        """``(step, value)`` wherever the measure was logged."""
        return [(row["step"], row[measure]) for row in self.progress if measure in row]

    def logged(self, measure: str) -> list[tuple[float, Any]]:
        """The same for a measure that is no single figure."""
        return [(row["step"], row[measure]) for row in self.progress if measure in row]

    @property
    def held_out(self) -> list[str]:
        """The sources whose held-out text was measured."""
        names = dict.fromkeys(k for row in self.progress for k in row if k.startswith(HELD_OUT))
        return [name.removeprefix(HELD_OUT) for name in names]


def training_section(
    models: Mapping[str, Path], perplexity: Path | None, heldout_tokens: Path | None
) -> Section:
    """Curves and a side-by-side table of the pretrained models, then their bits per byte."""
    runs = {name: Run.open(path) for name, path in models.items()}
    lead = (
        f"Pretrained: {', '.join(runs)}. Bits per byte weigh every byte of the text alike, "
        "whatever the tokenizer; lower is better."
    )
    blocks: list[Figure | Table] = [*_curves(runs), _side_by_side(runs)]
    if perplexity is None:
        return Section("training", "Pretraining", lead, tuple(blocks))
    systems, found = read_bits(perplexity, heldout_tokens)
    where = origin(perplexity)
    blocks.append(bits_table(systems, found, where))
    facts = tuple(bits_facts(systems, found, perplexity))
    brief = (bits_brief(systems, found, where),)
    return Section("training", "Pretraining", lead, tuple(blocks), facts, brief)


def _curves(runs: Mapping[str, Run]) -> list[Figure]:
    origins = tuple(origin(run.path) for run in runs.values())
    loss = {name: averaged(run.points("loss")) for name, run in runs.items()}
    panels = [line_panel("training loss", loss, "step", "nats per token")]
    for source in dict.fromkeys(s for run in runs.values() for s in run.held_out):
        lines = {n: run.points(HELD_OUT + source) for n, run in runs.items()}
        panels.append(line_panel(f"held out: {source}", lines, "step", "bits per byte"))
    caption = (
        "Training loss (mean of neighbouring steps) and, by source, bits per byte of the sample of "
        "held-out text that training measures itself on."
    )
    ends = "; ".join(f"{name} ends at a loss of {points[-1][1]:.3f}"
                     for name, points in loss.items() if points)  # fmt: skip
    return [Figure(caption, tuple(panels), f"{caption} {ends}.", origins)]


def _side_by_side(runs: Mapping[str, Run]) -> Table:
    rows: list[Row] = [["parameters", *(_count(r, "parameters") for r in runs.values())]]
    rows.append(["active for one token", *(_count(r, "active_parameters") for r in runs.values())])
    rows.append(["trained tokens", *(_count(r, "tokens") for r in runs.values())])
    rows.append(["steps", *(_count(r, "steps") for r in runs.values())])
    rows.append(["tokens a second (median)", *(_speed(r.speeds) for r in runs.values())])
    if any(run.utilisation for run in runs.values()):
        rows.append(["of the matrix-product peak", *(utilisation(r) for r in runs.values())])
    rows.append(["time", *(duration(r.record.seconds) for r in runs.values())])
    rows.append(["peak memory", *(memory(r.record.memory_mb) for r in runs.values())])
    rows.append([f"loss, last {LAST} steps", *(last_loss(r) for r in runs.values())])
    origins = [origin(run.path) for run in runs.values()]
    caption = "Size, data and speed of the pretrained models."
    return table(caption, ["<", *runs], rows, origins)


def _count(run: Run, name: str) -> str:
    return short(run.record.counts[name]) if name in run.record.counts else "–"


def _speed(speeds: Sequence[float]) -> str:
    return short(statistics.median(speeds)) if speeds else "–"


def utilisation(run: Run) -> str:
    """The median share of the machine's matrix-product peak that the model's operations took."""
    return percent(statistics.median(run.utilisation), 0) if run.utilisation else "–"


def last_loss(run: Run) -> str:
    """The mean training loss of the last logged steps: one step alone is mostly its batch."""
    values = [y for _, y in run.points("loss")[-LAST:]]
    return decimal(statistics.fmean(values)) if values else "–"
