"""What a terminal shows of training runs: their curve, how far they are, what they know."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from olmeda.artifacts.training_log import TrainingLog
from olmeda.base.braille import Points, braille

COLOURS = ("bright_blue", "dark_orange", "green", "magenta", "yellow", "cyan", "white")
MARGIN = 8
"""Characters left of the curve, for the numbers of its axis."""
SHADES = " ▁▂▃▄▅▆▇█"
HELD_OUT = "heldout/"
LAST = 10
"""Steps over which a last loss is averaged."""


def screen(logs: Sequence[TrainingLog], width: int, height: int) -> RenderableType:
    """Everything about the runs in ``width`` characters, the curve as high as ``height`` allows."""
    names = short_names([str(log.path) for log in logs])
    tables = [_runs(logs, names), _held_out(logs, names)]
    loads = [_load(log, name, width) for log, name in zip(logs, names, strict=True)]
    below = [part for part in (*tables, *loads) if part is not None]
    taken = sum(part.row_count + 3 for part in below)
    curve = _curve(logs, width, max(6, min(20, height - taken - 4)))
    parts: list[RenderableType] = [] if curve is None else [curve]
    for part in below:
        parts += [Text(), part]
    return Group(*parts)


def short_names(paths: Sequence[str]) -> list[str]:
    """The last part of each path, or as many as tell the paths apart."""
    parts = [path.rstrip("/").split("/") for path in paths]
    for count in range(1, max(map(len, parts)) + 1):
        found = ["/".join(p[-count:]) for p in parts]
        if len(set(found)) == len(set(paths)):
            return found
    return list(paths)


def _curve(logs: Sequence[TrainingLog], width: int, height: int) -> RenderableType | None:
    columns = width - MARGIN - 1
    lines = [smoothed(log.points("loss"), 2 * columns) for log in logs]
    seen = [y for line in lines for _, y in line]
    if not seen:
        return None
    last = max(max(log.until or 0, log.step) for log in logs)
    low, high = min(seen), _ceiling(seen)
    drawn = braille(lines, (0.0, low, float(last), high), columns, height)
    text = Text("training loss, nats per token\n", style="bold")
    for row, cells in enumerate(drawn):
        at = {0: high, height // 2: (low + high) / 2, height - 1: low}.get(row)
        text.append(f"{at:{MARGIN - 2}.3f} " if at is not None else " " * (MARGIN - 1), "dim")
        text.append("│", "dim")
        for dots, line in cells:
            text.append(dots, COLOURS[line % len(COLOURS)] if line >= 0 else None)
        text.append("\n")
    scale = f"step 0{last:>{columns - 6},}"
    text.append(" " * MARGIN + scale, "dim")
    return text


def _ceiling(values: Sequence[float]) -> float:
    """The top of the axis: the first steps of a run fall from so high that the rest looks flat."""
    low, high = min(values), max(values)
    usual = statistics.quantiles(values, n=20)[-1] if len(values) > 40 else high
    return min(high, low + 1.6 * (usual - low)) or high


def smoothed(points: Points, most: int) -> list[tuple[float, float]]:
    """At most ``most`` points, each the mean of neighbours, at the last of their places."""
    size = max(1, -(-len(points) // most))
    runs = [points[max(0, end - size) : end] for end in range(len(points), 0, -size)][::-1]
    return [(float(run[-1][0]), statistics.fmean(y for _, y in run)) for run in runs]


def _runs(logs: Sequence[TrainingLog], names: Sequence[str]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for head in ("run", "state"):
        table.add_column(head)
    for head in ("step", "loss", "lr", "grad norm", "tokens/s", "MFU", "left", "spikes"):
        table.add_column(head, justify="right")
    for number, (log, name) in enumerate(zip(logs, names, strict=True)):
        last: dict[str, Any] = next((row for row in reversed(log.progress) if "loss" in row), {})
        speed = log.speeds[-LAST:]
        table.add_row(
            Text(f"━ {name}", COLOURS[number % len(COLOURS)]),
            _state(log),
            f"{log.step:,}" + (f"/{log.until:,}" if log.until else ""),
            _mean([y for _, y in log.points("loss")[-LAST:]], "{:.3f}"),
            f"{last['lr']:.2g}" if "lr" in last else "–",
            f"{last['grad_norm']:.2f}" if "grad_norm" in last else "–",
            _mean([row["tokens_per_second"] for row in speed], "{:,.0f}"),
            _mean([100 * row["mfu"] for row in speed if "mfu" in row], "{:.0f} %"),
            duration(log.seconds_left) if _goes_on(log) and log.seconds_left is not None else "–",
            f"{100 * last['spike_rate/loss']:.1f} %" if "spike_rate/loss" in last else "–",
        )
    return table


def _goes_on(log: TrainingLog) -> bool:
    return not log.finished and not log.stands_still


def _state(log: TrainingLog) -> Text:
    if log.finished:
        return Text("finished", "green")
    if log.stands_still:
        return Text(f"still for {duration(log.seconds_since)}", "red")
    return Text("running")


def _held_out(logs: Sequence[TrainingLog], names: Sequence[str]) -> Table | None:
    sources = list(dict.fromkeys(s for log in logs for s in log.names(HELD_OUT)))
    if not sources:
        return None
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("held out, bits per byte")
    for source in sources:
        table.add_column(source.removeprefix(HELD_OUT), justify="right")
    for number, (log, name) in enumerate(zip(logs, names, strict=True)):
        cells = [_last_two(log.points(source)) for source in sources]
        table.add_row(Text(f"━ {name}", COLOURS[number % len(COLOURS)]), *cells)
    return table


def _last_two(points: Sequence[tuple[int, float]]) -> Text:
    """The last value, and by how much it changed since the one before."""
    if not points:
        return Text("–")
    text = Text(f"{points[-1][1]:.4f}")
    if len(points) > 1:
        change = points[-1][1] - points[-2][1]
        text.append(f" {change:+.4f}", "green" if change < 0 else "red")
    return text


def _load(log: TrainingLog, name: str, width: int) -> Table | None:
    loads = log.points("load")
    if not loads:
        return None
    step, layers = loads[-1]
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column(f"{name}: experts' load at step {step:,}")
    table.add_column("most, of an even share", justify="right")
    settled = log.points("saturation/before")
    if settled:
        table.add_column("as at the probe before", justify="right")
    for number, shares in enumerate(layers):
        even = 1 / len(shares)
        cells = [f"layer {number:>2} {shades(shares)[: max(8, width - 50)]}"]
        cells.append(f"{max(shares) / even:.2f}")
        if settled:
            cells.append(f"{100 * settled[-1][1][number]:.0f} %")
        table.add_row(*cells)
    return table


def shades(shares: Sequence[float]) -> str:
    """One character for each share: half full at an even share, full at twice that."""
    top = len(SHADES) - 1
    return "".join(
        SHADES[min(top, max(int(share > 0), round(share * len(shares) * top / 2)))]
        for share in shares
    )


def _mean(values: Sequence[float], shown: str) -> str:
    return shown.format(statistics.fmean(values)) if values else "–"


def duration(seconds: float) -> str:
    """``48 s``, ``12 min``, ``3 h 05 min``, ``2 d 4 h``."""
    total = round(seconds)
    if total < 120:
        return f"{total} s"
    if total < 7200:
        return f"{total // 60} min"
    if total < 172_800:
        return f"{total // 3600} h {total % 3600 // 60:02d} min"
    return f"{total // 86_400} d {total % 86_400 // 3600} h"
