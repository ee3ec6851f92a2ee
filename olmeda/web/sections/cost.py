"""Time and memory: what each step took, from the records of the artifacts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from olmeda.artifacts.lineage import Lineage
from olmeda.web.numerals import duration, memory
from olmeda.web.page import Cell, Fact, Row, Section, table
from olmeda.web.provenance import origin, trace_command

Record = tuple[Path, Lineage]


def cost_section(steps: Sequence[Record]) -> Section:
    """Wall time, processor time and peak memory of every step, in the order of the run."""
    longest = max(record.seconds for _, record in steps) or 1.0  # nothing takes no time
    rows: list[Row] = [
        [path.name, Cell(duration(record.seconds), bar=record.seconds / longest),
         duration(record.cpu_seconds), memory(record.memory_mb),
         Cell(trace_command(path), code=True)]
        for path, record in steps
    ]  # fmt: skip
    seconds = sum(r.seconds for _, r in steps)
    peak_path, peak = max(steps, key=lambda step: step[1].memory_mb)
    rows.append(["all steps", duration(seconds), duration(sum(r.cpu_seconds for _, r in steps)),
                 memory(peak.memory_mb), ""])  # fmt: skip
    last = origin(steps[-1][0])
    heads = ["<Step", "Time", "Processor time", "Peak memory", "<Trace"]
    costs = table("What each step took when it was last made.", heads, rows, [last], [len(steps)])
    return Section(
        "cost",
        "Time and memory",
        f"All steps together took {duration(seconds)}; the most memory, "
        f"{memory(peak.memory_mb)}, was held by {peak_path.name}. A step that was skipped because "
        "nothing changed counts with the time of the run that made it. This page is not counted.",
        (costs,),
        (
            Fact(duration(seconds), f"for all {len(steps)} steps", last),
            Fact(memory(peak.memory_mb), "peak memory", origin(peak_path)),
        ),
        (
            table("Cost", ["<", "all steps"],
                  [["time", duration(seconds)], ["peak memory", memory(peak.memory_mb)]],
                  [last]),
        ),
    )  # fmt: skip
