"""Line charts: one line for each name, labelled at its end, told apart by colour and dash."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import altair as alt
import polars as pl

from olmeda.web import charts
from olmeda.web.page import Panel

Points = Sequence[tuple[float, float]]
Band = Sequence[tuple[float, float, float, float]]
"""``(x, mean, lowest, highest)``."""
FEW = 12
"""Up to so many points each one is marked, so that a line says where it was measured."""
LABEL_ROOM = 14
"""Pixels between the end of a line and the right edge that belong to no label."""


def line_panel(title: str, lines: Mapping[str, Points], x: str, y: str, height: int = 220) -> Panel:
    """One panel of lines ``{name: [(x, y), ...]}`` with the axis titles ``x`` and ``y``."""
    span = _span([b for points in lines.values() for _, b in points])
    return charts.half(_lines(title, lines, x, y, height, span), height)


def _lines(
    title: str, lines: Mapping[str, Points], x: str, y: str, height: int, span: float
) -> alt.LayerChart:
    names = list(lines)
    rows = pl.DataFrame(
        [{"x": float(a), "y": float(b), "name": charts.clipped(n)}
         for n, points in lines.items() for a, b in points],
        schema={"x": pl.Float64, "y": pl.Float64, "name": pl.String},
    )  # fmt: skip
    shown = [charts.clipped(n) for n in names]
    colour = alt.Color("name:N", legend=None, scale=_scale(shown, charts.SERIES))
    dash = alt.StrokeDash("name:N", legend=None, scale=_scale(shown, charts.DASHES))
    across = alt.X("x:Q", title=x, scale=alt.Scale(nice=False),
                   axis=alt.Axis(grid=False, tickCount=4))  # fmt: skip
    up = alt.Y("y:Q", title=y, scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=5))
    few = max(map(len, lines.values()), default=0) <= FEW
    drawn = (
        alt.Chart(rows)
        .mark_line(point={"size": 22, "filled": True} if few else False)
        .encode(x=across, y=up, color=colour, strokeDash=dash)
    )
    ends = _ends(lines, height, span)
    labels = (
        alt.Chart(ends)
        .mark_text(align="left", dx=6, baseline="middle")
        .encode(x="x:Q", y="y:Q", text="name:N", color=colour)
    )
    room = LABEL_ROOM + charts.CHARACTER * max(map(len, shown), default=0)
    return alt.layer(drawn, labels).properties(
        title=charts.clipped(title, 44), padding={"right": room, "left": 2, "top": 2, "bottom": 2}
    )


def band_panel(title: str, bands: Mapping[str, Band], x: str, y: str, height: int = 220) -> Panel:
    """One panel of a line for each name, over the range of what it is the mean of."""
    means = {name: [(a, mean) for a, mean, _, _ in band] for name, band in bands.items()}
    span = _span([v for band in bands.values() for _, _, low, high in band for v in (low, high)])
    chart = _lines(title, means, x, y, height, span)
    wide = {name: band for name, band in bands.items() if any(lo < hi for _, _, lo, hi in band)}
    if not wide:
        return charts.half(chart, height)
    rows = pl.DataFrame(
        [{"x": a, "low": low, "high": high, "name": charts.clipped(name)}
         for name, band in wide.items() for a, _, low, high in band]
    )  # fmt: skip
    shown = [charts.clipped(name) for name in bands]
    colour = alt.Color("name:N", legend=None, scale=_scale(shown, charts.SERIES))
    ranges = (
        alt.Chart(rows)
        .mark_area(opacity=0.18)
        .encode(x="x:Q", y="low:Q", y2="high:Q", color=colour)
    )
    return charts.half(
        alt.layer(ranges, *chart.layer).properties(title=chart.title, padding=chart.padding), height
    )


def _scale(names: Sequence[str], values: Sequence[object]) -> alt.Scale:
    return alt.Scale(domain=list(names), range=[values[i % len(values)] for i in range(len(names))])


def _ends(lines: Mapping[str, Points], height: int, span: float) -> pl.DataFrame:
    """Where the label of each line stands: at its end, moved so that no two overlap."""
    ends = {name: points[-1] for name, points in lines.items() if points}
    gap = span * 15 / (height - 70)
    places = charts.spread([y for _, y in ends.values()], gap)
    rows = [
        {"x": float(x), "y": float(place), "name": charts.clipped(name)}
        for (name, (x, _)), place in zip(ends.items(), places)
    ]
    return pl.DataFrame(rows, schema={"x": pl.Float64, "y": pl.Float64, "name": pl.String})


def averaged(points: Points, most: int = 80) -> list[tuple[float, float]]:
    """At most ``most`` points, each the mean of a run of neighbours, set at the last of them.

    The last step is always the place of the last point.
    """
    return [(run[-1][0], sum(y for _, y in run) / len(run)) for run in _stretches(points, most)]


def highest(points: Points, most: int = 80) -> list[tuple[float, float]]:
    """The same with the highest of the neighbours: a spike of one step stays as high as it was."""
    return [(run[-1][0], max(y for _, y in run)) for run in _stretches(points, most)]


def _stretches(points: Points, most: int) -> list[Points]:
    size = max(1, -(-len(points) // most))
    return [points[max(0, end - size) : end] for end in range(len(points), 0, -size)][::-1]


def _span(values: Sequence[float]) -> float:
    return (max(values, default=1.0) - min(values, default=0.0)) or 1.0
