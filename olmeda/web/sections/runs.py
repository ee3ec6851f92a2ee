"""Training runs side by side: where they ended, how they went there, and what they spiked."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from olmeda.artifacts.estimate import Estimate
from olmeda.web.arms import Arm, Figure, held_out_mean, last, last_loss, measures_of
from olmeda.web.curves import Band, averaged, band_panel, highest
from olmeda.web.intervals import Mark, interval_panel
from olmeda.web.numerals import decimal, duration, interval, memory, percent, short
from olmeda.web.page import Cell, Fact, Origin, Row, Section, Table, table
from olmeda.web.page import Figure as Drawing
from olmeda.web.provenance import origin
from olmeda.web.sections.training import HELD_OUT, LAST, Run

SPIKES = {"spike/loss": "loss", "spike/grad_norm": "gradient"}
ELSEWHERE = ("loss", "lr", "grad_norm", "step", "tokens", "balance", "router_z", "z")
"""Measures with a place of their own on the page, or none."""


def ends_section(arms: Sequence[Arm]) -> Section:
    """Final figures of every arm with intervals over seeds, and differences to the first arm."""
    sources = measures_of(arms, HELD_OUT)
    figures: dict[str, Figure] = {s.removeprefix(HELD_OUT): last(s) for s in sources}
    if len(sources) > 1:
        figures["mean of sources"] = held_out_mean
    if not figures:
        figures = {f"loss, last {LAST} steps": last_loss}
    blocks: list[Table | Drawing] = [_ends(arms, figures)]
    if len(arms) > 1:
        blocks += [_differences(arms, figures), *_ranking(arms, figures)]
    if others := others_of(arms):
        blocks.append(_ends(arms, {name: last(name) for name in others}, "Other measures."))
    blocks.append(_costs(arms))
    lead = (
        f"{_count(len(arms), 'arm')} with {_count(sum(len(a.runs) for a in arms), 'run')}. "
        "Held-out figures are bits per byte of the sample that training measures itself on; lower "
        "is better. An interval is Student's over seeds; one run has none."
    )
    brief = _ends(arms, figures)
    return Section(
        "ends", "Where the runs ended", lead, tuple(blocks), tuple(_facts(arms)), (brief,)
    )


def curves_section(arms: Sequence[Arm]) -> Section:
    """Loss, held-out text, learning rate, gradient and spikes over the steps."""
    origins = origins_of(arms)
    smooth = {arm.name: arm.band("loss", averaged) for arm in arms}
    panels = [band_panel("training loss", smooth, "step", "nats per token")]
    for source in measures_of(arms, HELD_OUT):
        lines = {arm.name: arm.band(source) for arm in arms}
        panels.append(
            band_panel(f"held out: {source.removeprefix(HELD_OUT)}", lines, "step", "bits per byte")
        )
    learning = (
        "Training loss (mean of neighbouring steps) and held-out bits per byte by source. A line "
        "is the mean over the seeds of an arm, the band behind it their range."
    )
    blocks = [Drawing(learning, tuple(panels), _alt(learning, arms), origins)]
    steps = [band_panel("learning rate", _bands(arms, "lr"), "step", "")]
    steps.append(band_panel("norm of the gradient", _bands(arms, "grad_norm"), "step", ""))
    for name in measures_of(arms, "spike/"):
        title = f"spikes: {SPIKES.get(name, name)}"
        bands = {arm.name: arm.band(name, highest) for arm in arms}
        steps.append(band_panel(title, bands, "step", "standard deviations"))
    course = (
        "Learning rate, norm of the gradient before clipping, and how far each step's loss and "
        "gradient lay above the mean of the steps before it, in standard deviations (the highest "
        "of neighbouring steps)."
    )
    blocks.append(Drawing(course, tuple(steps), course, origins))
    if others := others_of(arms):
        shown = [band_panel(n, {a.name: a.band(n) for a in arms}, "step", "") for n in others]
        told = "Other measures between the steps."
        blocks.append(Drawing(told, tuple(shown), told, origins))
    lead = "How the runs went there, step by step."
    return Section("curves", "Curves", lead, tuple(blocks))


def gradients_section(arms: Sequence[Arm], most: int = 12) -> Section | None:
    """The parameters with the largest gradients at the last step that logged them."""
    held = {arm.name: found for arm in arms if (found := arm.runs[0].logged("grad_norms"))}
    if not held:
        return None
    norms = {name: points[-1][1] for name, points in held.items()}
    largest: dict[str, float] = {}
    for of_arm in norms.values():
        for name, norm in of_arm.items():
            largest[name] = max(norm, largest.get(name, 0.0))
    names = sorted(largest, key=lambda name: (-largest[name], name))[:most]
    rows: list[Row] = [
        [Cell(name, code=True), *(_number(norms[arm].get(name)) for arm in norms)] for name in names
    ]
    steps = ", ".join(f"{name} at step {points[-1][0]:,}" for name, points in held.items())
    caption = f"Norms of the largest gradients by parameter, before clipping: {steps}."
    origins = [origin(arm.runs[0].path) for arm in arms if arm.name in held]
    shown = table(caption, ["<Parameter", *norms], rows, origins)
    lead = "Which parameters the loss pulled at hardest; one run of each arm."
    return Section("gradients", "Gradients by parameter", lead, (shown,))


def origins_of(arms: Sequence[Arm]) -> tuple[Origin, ...]:
    """Where the runs of all arms come from."""
    return tuple(origin(run.path) for arm in arms for run in arm.runs)


def others_of(arms: Sequence[Arm]) -> list[str]:
    """Single figures that a caller's probes added to the log."""
    apart = (HELD_OUT, "spike/", "spike_rate/")
    return [n for n in measures_of(arms, "") if n not in ELSEWHERE and not n.startswith(apart)]


def _bands(arms: Sequence[Arm], measure: str) -> dict[str, Band]:
    return {arm.name: arm.band(measure, averaged) for arm in arms}


def _alt(caption: str, arms: Sequence[Arm]) -> str:
    ends = {arm.name: arm.estimate(last_loss) for arm in arms}
    told = "; ".join(f"{n} ends at a loss of {e.value:.3f}" for n, e in ends.items() if e)
    return f"{caption} {told}."


def _ends(
    arms: Sequence[Arm],
    figures: dict[str, Figure],
    caption: str = "Where each arm ended: held-out bits per byte, mean over seeds.",
) -> Table:
    rows: list[Row] = [
        [arm.name, str(len(arm.runs)), *(_cell(arm.estimate(f)) for f in figures.values())]
        for arm in arms
    ]
    return table(caption, ["<Arm", "Runs", *figures], rows, origins_of(arms))


def _differences(arms: Sequence[Arm], figures: dict[str, Figure]) -> Table:
    first, *others = arms
    rows: list[Row] = [
        [arm.name, *(_cell(arm.difference(first, f), sign=True) for f in figures.values())]
        for arm in others
    ]
    caption = f"Differences to {first.name}, paired by seed; below 0 is better than {first.name}."
    return table(caption, ["<Arm", *figures], rows, origins_of(arms))


def _ranking(arms: Sequence[Arm], figures: dict[str, Figure]) -> list[Drawing]:
    if all(len(arm.runs) == 1 for arm in arms):
        return []
    panels = []
    for name, figure in figures.items():
        marks = []
        for arm in arms:
            if (found := arm.estimate(figure)) is not None:
                known = math.isfinite(found.low)
                low, high = (found.low, found.high) if known else (None, None)
                marks.append(Mark(arm.name, found.value, low, high))
        panels.append(interval_panel(name, marks, "bits per byte"))
    caption = "The same as dots with 95 % intervals over seeds."
    return [Drawing(caption, tuple(panels), caption, origins_of(arms))]


def _costs(arms: Sequence[Arm]) -> Table:
    rows: list[Row] = [
        [run.path.name, arm.name, _counted(run, "parameters"), _counted(run, "active_parameters"),
         _counted(run, "tokens"), _counted(run, "steps"), _speed(run), _utilisation(run),
         _spikes(run), duration(run.record.seconds), memory(run.record.memory_mb)]
        for arm in arms for run in arm.runs
    ]  # fmt: skip
    heads = ["<Run", "<Arm", "Parameters", "Active", "Tokens", "Steps", "Tokens/s", "MFU", "Spikes",
             "Time", "Memory"]  # fmt: skip
    caption = (
        "Size, data and speed of every run. MFU: the median share of the machine's measured "
        "matrix-product peak. Spikes: the share of scored steps whose loss spiked."
    )
    return table(caption, heads, rows, origins_of(arms))


def _facts(arms: Sequence[Arm]) -> list[Fact]:
    ranked = [(e.value, arm) for arm in arms if (e := arm.estimate(held_out_mean)) is not None]
    if not ranked:
        return []
    value, best = min(ranked, key=lambda pair: pair[0])
    where = origin(best.runs[0].path)
    return [Fact(decimal(value), f"bits per byte held out, the lowest: {best.name}", where)]


def _cell(found: Estimate | None, sign: bool = False) -> Cell:
    if found is None:
        return Cell("–")
    plus = "+" if sign and found.value > 0 else ""
    return Cell(plus + decimal(found.value, 4), interval(found.low, found.high, 4))


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}"


def _counted(run: Run, name: str) -> str:
    return short(run.record.counts[name]) if name in run.record.counts else "–"


def _speed(run: Run) -> str:
    return short(statistics.median(run.speeds)) if run.speeds else "–"


def _utilisation(run: Run) -> str:
    return percent(statistics.median(run.utilisation), 0) if run.utilisation else "–"


def _spikes(run: Run) -> str:
    rate = last("spike_rate/loss")(run)
    return "–" if rate is None else percent(rate)


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" + ("" if number == 1 else "s")
