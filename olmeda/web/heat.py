"""Heat maps of shares against chance: blank at chance, one colour above it and another below."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import altair as alt
import polars as pl

from olmeda.web import charts
from olmeda.web.page import Panel

FULL = 2.0
"""Doublings at which a colour is full: four times chance, or a quarter of it."""
ROW = 22
ROOM_FOR_TEXT = 30
"""Pixels a cell needs to hold its number."""
ABOVE, BELOW = charts.SERIES[0], charts.SERIES[1]


@dataclass(frozen=True)
class Heat:
    """One cell: its row and column, its share, and the share that chance would give."""

    row: str
    column: int
    share: float
    chance: float


def heat_full(title: str, cells: Sequence[Heat], column: str, row: str) -> Panel:
    """A map over the whole column, with shares in per cent written in where they fit."""
    height = ROW * len({c.row for c in cells}) + 70

    def draw(width: int) -> alt.LayerChart:
        columns = len({c.column for c in cells})
        return _map(title, cells, column, row, (width - 90) / columns >= ROOM_FOR_TEXT)

    return charts.full(draw, height)


def heat_half(title: str, cells: Sequence[Heat], column: str, row: str) -> Panel:
    """A map of half the column's width, without numbers."""
    height = ROW * len({c.row for c in cells}) + 70
    return charts.half(_map(title, cells, column, row, False), height)


def doublings(share: float, chance: float) -> float:
    """``log2(share / chance)``, kept within the range of the colours."""
    if share == chance:
        return 0.0
    if share <= 0 or chance <= 0:
        return -FULL
    return max(-FULL, min(FULL, math.log2(share / chance)))


def _map(title: str, cells: Sequence[Heat], column: str, row: str, written: bool) -> alt.LayerChart:
    rows = pl.DataFrame(
        [
            {"row": charts.clipped(c.row, 14), "column": c.column,
             "side": "above" if c.share >= c.chance else "below",
             "depth": abs(doublings(c.share, c.chance)) / FULL,
             "text": f"{100 * c.share:.1f}"}
            for c in cells
        ]
    )  # fmt: skip
    columns = sorted({c.column for c in cells})
    ticks = [c for c in columns if c % max(1, len(columns) // 8) == 0]
    base = alt.Chart(rows).encode(
        x=alt.X("column:O", title=column, scale=alt.Scale(paddingInner=0.08),
                axis=alt.Axis(values=ticks, labelAngle=0, ticks=False, domain=False)),
        y=alt.Y("row:N", sort=None, title=row, scale=alt.Scale(paddingInner=0.12),
                axis=alt.Axis(ticks=False, domain=False)),
    )  # fmt: skip
    scale = alt.Scale(domain=["above", "below"], range=[ABOVE, BELOW])
    frames = base.mark_rect(fill=None, stroke=charts.RULE, strokeWidth=1)
    fills = base.mark_rect().encode(
        color=alt.Color("side:N", scale=scale, legend=None),
        opacity=alt.Opacity("depth:Q", scale=alt.Scale(domain=[0, 1], range=[0, 0.7]), legend=None),
    )
    layers: list[alt.Chart] = [frames, fills]
    if written:
        layers.append(base.mark_text(fontSize=10).encode(text="text:N"))
    return alt.layer(*layers).properties(title=charts.clipped(title, 44))
