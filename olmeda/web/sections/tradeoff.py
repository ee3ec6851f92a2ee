"""The trade-off of merging: general score against skill score over the swept weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import altair as alt
import msgspec
import polars as pl

from olmeda.artifacts.estimate import Estimate
from olmeda.web import charts
from olmeda.web.intervals import SHAPES
from olmeda.web.labels import place
from olmeda.web.page import Panel

HEIGHT = 300
PLOT = (290.0, 225.0)
"""About the size in pixels of the plot inside the axes, for placing labels."""
KINDS = ("merged", "general", "alone", "continued", "retrained", "base")


class Point(msgspec.Struct, frozen=True):
    """One model: how it came about, what adding the skill cost in tokens, its two scores."""

    kind: str
    system: str
    weight: float | None
    cost_tokens: float | None
    general: Estimate
    skill: Estimate
    chosen: bool
    best: bool
    heuristic: bool


def tradeoff_panel(skill: str, points: Sequence[Point]) -> Panel:
    """Every way to add ``skill`` as a point; merged models joined in the order of weights."""
    rows = pl.DataFrame([_row(p) for p in points])
    wide, high = (_domain(points, score) for score in ("general", "skill"))
    x = alt.X("general:Q", title="general score", scale=alt.Scale(domain=wide, nice=False),
              axis=alt.Axis(tickCount=5))  # fmt: skip
    y = alt.Y("skill:Q", title=f"{charts.clipped(skill, 30)} score",
              scale=alt.Scale(domain=high, nice=False), axis=alt.Axis(tickCount=5))  # fmt: skip
    base = alt.Chart(rows).encode(color=_colour())
    swept = rows.filter(pl.col("kind") == "merged").sort("weight")
    path = alt.Chart(swept).mark_line(color=charts.SERIES[0], strokeWidth=1.4)
    shown = base.transform_filter("datum.spans")
    layers = [
        path.encode(x=x, y=y, order="weight:Q"),
        shown.mark_rule(opacity=0.45).encode(x="general_low:Q", x2="general_high:Q", y=y),
        shown.mark_rule(opacity=0.45).encode(x=x, y="skill_low:Q", y2="skill_high:Q"),
        base.mark_point(filled=True, opacity=1).encode(
            x=x, y=y, shape=alt.Shape("kind:N", scale=_scale(SHAPES), legend=None),
            size=alt.Size("size:Q", scale=None, legend=None),
        ),
        *_labels(points, x, y, wide, high),
    ]  # fmt: skip
    chart = alt.layer(*layers).properties(title=charts.clipped(f"skill: {skill}", 44))
    return charts.half(chart, HEIGHT)


def _domain(points: Sequence[Point], score: Literal["general", "skill"]) -> tuple[float, float]:
    """The range of one score with its intervals, a little widened."""
    held = [p.general if score == "general" else p.skill for p in points]
    low, high = min(e.low for e in held), max(e.high for e in held)
    room = 0.06 * (high - low) or 0.05
    return low - room, high + room


def _row(p: Point) -> dict[str, object]:
    return {
        "kind": p.kind,
        "weight": p.weight or 0.0,
        "general": p.general.value,
        "general_low": p.general.low,
        "general_high": p.general.high,
        "skill": p.skill.value,
        "skill_low": p.skill.low,
        "skill_high": p.skill.high,
        "spans": p.kind != "merged" or p.chosen,
        "size": 110 if p.chosen else 30 if p.kind == "merged" else 60,
    }


def _labels(
    points: Sequence[Point],
    x: alt.X,
    y: alt.Y,
    wide: tuple[float, float],
    high: tuple[float, float],
) -> list[alt.Chart]:
    """The name of every way, and the weights of the sweep's ends and of the choice."""
    merged = sorted((p for p in points if p.kind == "merged"), key=lambda p: p.weight or 0.0)
    named = [p for p in points if p.kind != "merged" or p.chosen or p in (merged[0], merged[-1])]

    def pixels(p: Point) -> tuple[float, float]:
        across = (p.general.value - wide[0]) / (wide[1] - wide[0])
        up = (p.skill.value - high[0]) / (high[1] - high[0])
        return across * PLOT[0], (1 - up) * PLOT[1]

    kinds = [p.kind for p in points]
    names = [_name(p, kinds.count(p.kind) > 1) for p in named]
    spots = place([pixels(p) for p in named], names, [pixels(p) for p in points], PLOT)
    return [
        alt.Chart(pl.DataFrame([{**_row(p), "name": name}]))
        .mark_text(align=spot.align, dx=spot.dx, dy=spot.dy, baseline="middle")
        .encode(x=x, y=y, text="name:N", color=_colour())
        for p, name, spot in zip(named, names, spots)
    ]


def _name(p: Point, several: bool) -> str:
    """The way, or where several came about in it, its model."""
    if p.kind != "merged":
        return charts.clipped(f"{p.kind}: {p.system}", 22) if several else p.kind
    return f"{p.weight:g} (chosen)" if p.chosen else f"{p.weight:g}"


def _scale(values: Sequence[str]) -> alt.Scale:
    return alt.Scale(domain=list(KINDS), range=list(values[: len(KINDS)]))


def _colour() -> alt.Color:
    return alt.Color("kind:N", scale=_scale(charts.SERIES), legend=None)
