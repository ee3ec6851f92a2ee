"""Experts while they learned: load by layer, how routing settled, which pairs go together."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from olmeda.web.arms import Arm
from olmeda.web.curves import line_panel
from olmeda.web.heat import Heat, heat_half
from olmeda.web.numerals import decimal, percent
from olmeda.web.page import Figure, Row, Section, Table, table
from olmeda.web.provenance import origin
from olmeda.web.sections.training import Run

MOST_LAYERS = 24
"""Rows of a heat map; of a deeper model, evenly spread layers are shown."""
PAIRS = 3


def experts_section(arms: Sequence[Arm]) -> Section | None:
    """What the probes of mixtures of experts logged; one run of each arm."""
    runs = {arm.name: arm.runs[0] for arm in arms if arm.runs[0].logged("load")}
    if not runs:
        return None
    origins = tuple(origin(run.path) for run in runs.values())
    maps = tuple(heat_half(name, _cells(run), "expert", "layer") for name, run in runs.items())
    steps = ", ".join(f"{name} at step {run.logged('load')[-1][0]:,}" for name, run in runs.items())
    told = (
        f"Share of visits by layer and expert on held-out text: {steps}. Blank is an even share, "
        "blue more, orange less; full colour is four times or a quarter."
    )
    blocks: list[Figure | Table] = [Figure(told, maps, told, origins)]
    spread = {name: _uneven(run) for name, run in runs.items()}
    panels = [line_panel("most loaded expert", spread, "step", "times an even share")]
    for measure, title in (
        ("saturation/before", "same experts as one probe before"),
        ("saturation/first", "same experts as untrained"),
    ):
        lines = {n: _means(run, measure) for n, run in runs.items() if run.logged(measure)}
        if lines:
            lines |= _chance(runs, measure)
            panels.append(line_panel(title, lines, "step", "share of choices"))
    course = (
        "The load of the most visited expert (mean over layers), and the share of a token's "
        "experts that it had at the probe before, and before training (mean over layers)."
    )
    blocks.append(Figure(course, tuple(panels), course, origins))
    blocks.append(_layers(runs))
    lead = (
        "Mixtures of experts, measured on held-out text between the steps; padding does not count."
    )
    return Section("experts", "Experts", lead, tuple(blocks))


def _cells(run: Run) -> list[Heat]:
    layers = run.logged("load")[-1][1]
    stride = -(-len(layers) // MOST_LAYERS)
    return [
        Heat(str(layer), expert, share, 1 / len(shares))
        for layer, shares in list(enumerate(layers))[::stride]
        for expert, share in enumerate(shares)
    ]


def _uneven(run: Run) -> list[tuple[float, float]]:
    return [
        (step, statistics.fmean(max(shares) * len(shares) for shares in layers))
        for step, layers in run.logged("load")
    ]


def _means(run: Run, measure: str) -> list[tuple[float, float]]:
    return [(step, statistics.fmean(layers)) for step, layers in run.logged(measure)]


def _chance(runs: dict[str, Run], measure: str) -> dict[str, list[tuple[float, float]]]:
    """What random choices of the first mixture would agree in: K of E; unknown, no line."""
    first = next(run for run in runs.values() if run.logged(measure))
    experts = (first.record.config.get("model") or {}).get("experts") or {}
    if "chosen" not in experts or "count" not in experts:
        return {}
    steps = [step for step, _ in first.logged(measure)]
    share = experts["chosen"] / experts["count"]
    return {"chance": [(steps[0], share), (steps[-1], share)]}


def _layers(runs: dict[str, Run]) -> Table:
    rows: list[Row] = []
    for name, run in runs.items():
        loads, pairs = run.logged("load")[-1][1], run.logged("coactivation")
        settled, kept = run.logged("saturation/before"), run.logged("saturation/first")
        for layer, shares in enumerate(loads):
            strongest = pairs[-1][1][layer][:PAIRS] if pairs else []
            rows.append([
                name, str(layer), decimal(max(shares) * len(shares), 2),
                decimal(min(shares) * len(shares), 2),
                percent(settled[-1][1][layer]) if settled else "–",
                percent(kept[-1][1][layer]) if kept else "–",
                ", ".join(f"{i:.0f}→{j:.0f} ({percent(share, 0)})" for i, j, share in strongest),
            ])  # fmt: skip
    heads = ["<Arm", "Layer", "Most loaded", "Least", "As before", "As untrained",
             "<Strongest pairs"]  # fmt: skip
    caption = (
        "Every layer at the last probe: load of the most and least visited expert in even shares; "
        "choices equal to the probe before and to the untrained model's; the pairs most often "
        "chosen together (of the tokens that went to the first, the share that went to the second)."
    )
    return table(caption, heads, rows, [origin(run.path) for run in runs.values()])
