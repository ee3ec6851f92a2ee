"""Drawing: Altair charts in one quiet style, turned into SVG that follows the page's colours.

Colours are CSS variables of the page (``var(--series-1)``), so one drawing serves light and dark
paper. A figure is made of panels about as wide as a phone; a drawing that needs the whole column
is drawn twice and the style sheet shows the one that fits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import altair as alt
import vl_convert
from markupsafe import Markup

from olmeda.web.page import Panel

COLUMN, HALF = 704, 340
"""Widths in pixels: of the text column, and of half of it, which is also that of a phone."""

INK, SOFT, RULE, PAPER, ACCENT = (
    "var(--ink)",
    "var(--soft)",
    "var(--rule)",
    "var(--paper)",
    "var(--accent)",
)
SERIES = tuple(f"var(--series-{n})" for n in range(1, 8))
"""Told apart by eyes of every kind (after Okabe and Ito); the first is the accent."""

DASHES = ([1, 0], [6, 3], [2, 2], [8, 3, 2, 3], [4, 4], [1, 3], [10, 4])
FONT = "Helvetica, Arial, 'Liberation Sans', sans-serif"
"""Faces of equal widths, so that what the converter measured fits in every browser."""
TEXT_SIZE = 11
CHARACTER = 6.2
"""About the width in pixels of one character of a label, to leave room for it."""

STYLE: dict[str, object] = {
    "aria": False,
    "background": None,
    "font": FONT,
    "padding": 3,
    "view": {"stroke": None},
    "axis": {
        "labelFontSize": TEXT_SIZE,
        "titleFontSize": TEXT_SIZE,
        "titleFontWeight": "normal",
        "labelColor": SOFT,
        "titleColor": SOFT,
        "gridColor": RULE,
        "domainColor": RULE,
        "tickColor": RULE,
        "labelLimit": 130,
        "labelPadding": 4,
    },
    "text": {"fontSize": TEXT_SIZE, "fill": INK},
    "line": {"strokeWidth": 1.8, "strokeJoin": "round"},
    "title": {
        "anchor": "start",
        "fontSize": 12,
        "fontWeight": 600,
        "color": INK,
        "frame": "group",
        "offset": 8,
    },
}


def svg(chart: alt.LayerChart | alt.Chart, width: int, height: int) -> Markup:
    """Draw a chart at this outer size in pixels; the same chart gives the same text."""
    sized = chart.properties(
        width=width, height=height, autosize=alt.AutoSizeParams(type="fit", contains="padding")
    )
    drawing = vl_convert.vegalite_to_svg(sized.to_dict() | {"config": STYLE})
    assert "id=" not in drawing, "ids of several drawings would clash on one page"
    return Markup(drawing)  # text inside was escaped by the converter


def half(chart: alt.LayerChart | alt.Chart, height: int = 220) -> Panel:
    """A panel of half a column, beside others on wide screens and below them on narrow ones."""
    return Panel(svg(chart, HALF, height))


def full(draw: Callable[[int], alt.LayerChart | alt.Chart], height: int) -> Panel:
    """A panel of the whole column; ``draw(width)`` is called for a wide and a narrow screen."""
    return Panel(svg(draw(COLUMN), COLUMN, height), svg(draw(HALF), HALF, height))


def clipped(text: str, most: int = 18) -> str:
    """A name short enough for a label."""
    return text if len(text) <= most else text[: most - 1] + "…"


def spread(places: Sequence[float], gap: float) -> list[float]:
    """Move label places apart until neighbours are ``gap`` away, keeping their order and middle.

    Pool adjacent labels that are too close and centre each pool on the mean of its members.
    """
    order = sorted(range(len(places)), key=lambda i: (places[i], i))
    pools: list[list[int]] = []
    for index in order:
        pools.append([index])
        while len(pools) > 1 and _foot(pools[-1], places, gap) < _head(pools[-2], places, gap):
            last = pools.pop()
            pools[-1] += last
    found = list(places)
    for pool in pools:
        start = _middle(pool, places) - gap * (len(pool) - 1) / 2
        for rank, index in enumerate(pool):
            found[index] = start + gap * rank
    return found


def _middle(pool: list[int], places: Sequence[float]) -> float:
    return sum(places[i] for i in pool) / len(pool)


def _foot(pool: list[int], places: Sequence[float], gap: float) -> float:
    return _middle(pool, places) - gap * len(pool) / 2


def _head(pool: list[int], places: Sequence[float], gap: float) -> float:
    return _middle(pool, places) + gap * len(pool) / 2
