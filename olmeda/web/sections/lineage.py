"""Lineage: the table of steps with their digests, and the tree that joins them."""

from __future__ import annotations

from collections.abc import Sequence

from olmeda.artifacts.lineage import Lineage
from olmeda.web.numerals import short
from olmeda.web.page import Cell, Row, Section, Text, table
from olmeda.web.provenance import Made, origin, trace_command, tree


def lineage_section(made: Sequence[Made]) -> Section:
    """Every artifact behind the page: verb, counts, seed, digest and what it was made from."""
    rows: list[Row] = [
        [m.name, Cell(m.digest[:12], code=True), *_about(m.record),
         Cell(trace_command(m.path), code=True)]
        for m in made
    ]  # fmt: skip
    heads = ["<Step", "<Digest", "<Verb", "<Makes", "Seed", "<<Counts", "<Trace"]
    steps = table("Every step, inputs before what was made from them.", heads, rows,
                  [origin(m.path) for m in made if m.record is not None][-1:])  # fmt: skip
    lead = (
        "Each artifact keeps a record: the verb, its resolved configuration, the digests of its "
        "inputs and of its own content. The command in the last column prints the tree behind "
        "it and says whether anything has changed since. Equal digests mean equal bytes."
    )
    branches = Text("\n".join(tree(made)), "code")
    return Section("lineage", "Lineage", lead, (steps, branches))


def _about(record: Lineage | None) -> list[str]:
    if record is None:
        return ["missing", "", "", ""]
    counts = ", ".join(f"{name} {_amount(value)}" for name, value in record.counts.items())
    return [record.verb, record.kind, "" if record.seed is None else str(record.seed), counts]


def _amount(value: int | float) -> str:
    return short(value) if isinstance(value, int) or value >= 1000 else f"{value:.4g}"
