"""Dot charts: one row for each name, a dot at the value and a line over its interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import altair as alt
import polars as pl

from olmeda.web import charts
from olmeda.web.page import Panel

ROW = 19
"""Height in pixels of one row."""
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down", "triangle-right")
ROWS = {
    "label": pl.String,
    "value": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "series": pl.String,
}


@dataclass(frozen=True)
class Mark:
    """One dot; without an interval ``low`` and ``high`` are None. ``series`` gives its colour."""

    label: str
    value: float
    low: float | None = None
    high: float | None = None
    series: str = ""


def interval_panel(
    title: str, marks: Sequence[Mark], x: str, reference: float | None = None
) -> Panel:
    """A panel of ``marks`` in their order, the axis titled ``x``, a line at ``reference``."""
    series = list(dict.fromkeys(m.series for m in marks))
    labels = list(dict.fromkeys(charts.clipped(m.label, 22) for m in marks))
    base = alt.Chart(_rows(marks)).encode(
        y=alt.Y("label:N", sort=labels, title=None,
                axis=alt.Axis(ticks=False, domain=False, grid=False, labelColor=charts.INK)),
        color=alt.Color("series:N", scale=_scale(series, charts.SERIES), legend=_legend(series)),
        **({"yOffset": alt.YOffset("series:N", sort=series)} if len(series) > 1 else {}),
    )  # fmt: skip
    scale = alt.Scale(zero=False, nice=True, padding=8)
    lines = base.mark_rule(strokeWidth=1.6).encode(
        x=alt.X("low:Q", title=x, scale=scale, axis=alt.Axis(tickCount=4)), x2="high:Q"
    )
    dots = base.mark_point(filled=True, size=42, opacity=1).encode(
        x=alt.X("value:Q", scale=scale),
        shape=alt.Shape("series:N", scale=_scale(series, SHAPES), legend=_legend(series)),
    )
    layers: list[alt.Chart] = [lines, dots]
    if reference is not None:
        at = alt.Chart(pl.DataFrame({"at": [float(reference)]}))
        layers.insert(0, at.mark_rule(color=charts.SOFT, strokeDash=[3, 3]).encode(x="at:Q"))
    chart = alt.layer(*layers).properties(title=charts.clipped(title, 44))
    return charts.half(chart, _height(len(labels), len(series)))


def _height(labels: int, series: int) -> int:
    return round(labels * ROW * (1 + 0.35 * (series - 1))) + (62 if series == 1 else 88)


def _rows(marks: Sequence[Mark]) -> pl.DataFrame:
    rows = [
        {"label": charts.clipped(m.label, 22), "value": float(m.value),
         "low": m.value if m.low is None else m.low,
         "high": m.value if m.high is None else m.high, "series": m.series}
        for m in marks
    ]  # fmt: skip
    return pl.DataFrame(rows, schema=ROWS)


def _scale(names: Sequence[str], values: Sequence[str]) -> alt.Scale:
    return alt.Scale(domain=list(names), range=[values[i % len(values)] for i in range(len(names))])


def _legend(series: Sequence[str]) -> alt.Legend | None:
    if len(series) < 2:
        return None
    return alt.Legend(orient="bottom", title=None, labelColor=charts.INK, direction="horizontal")
