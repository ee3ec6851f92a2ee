"""Numbers, labels and lines of a page, one at a time."""

from __future__ import annotations

import itertools
import math
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from olmeda.artifacts.scores import Score, write_scores
from olmeda.web import charts, numerals
from olmeda.web.curves import averaged, line_panel
from olmeda.web.heat import Heat, doublings, heat_full
from olmeda.web.intervals import Mark, interval_panel
from olmeda.web.labels import LINE, place
from olmeda.web.page import Cell, table
from olmeda.web.provenance import Made, ancestry, tree
from olmeda.web.sections.perplexity import read_bits
from olmeda.web.sections.routing import visible
from olmeda.web.summary import plain_table
from tests.web.report_run import artifact, corpus, tokenset


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0, "0"), (9_999, "9,999"), (10_000, "10.0 k"), (84_321, "84.3 k"), (999_499, "999 k"),
     (999_500, "1.00 M"), (5_123_456, "5.12 M"), (2.5e12, "2500 G")],
)  # fmt: skip
def test_counts_are_short(value: float, shown: str) -> None:
    assert numerals.short(value).replace(numerals.SPACE, " ") == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0.04, "0.0 s"), (9.94, "9.9 s"), (9.96, "10 s"), (59.6, "1 min 00 s"), (125, "2 min 05 s"),
     (3840, "1 h 04 min")],
)  # fmt: skip
def test_times_are_told_in_fitting_units(seconds: float, shown: str) -> None:
    assert numerals.duration(seconds).replace(numerals.SPACE, " ") == shown


def test_tiny_probabilities_are_not_spelled_out() -> None:
    assert numerals.probability(3.9e-26) == "< 0.001"
    assert numerals.probability(0.04) == "0.040"


def test_minus_is_a_minus_and_zero_has_none() -> None:
    assert numerals.decimal(-0.1234) == "\N{MINUS SIGN}0.123"
    assert numerals.decimal(-0.0001) == "0.000"
    assert numerals.decimal(math.nan) == "–"
    assert numerals.interval(math.nan, 1.0) == ""


@given(st.lists(st.floats(-100, 100), min_size=1, max_size=12), st.floats(0.1, 10))
def test_spread_labels_keep_order_distance_and_middle(places: list[float], gap: float) -> None:
    found = charts.spread(places, gap)
    order = sorted(range(len(places)), key=lambda i: (places[i], i))
    for a, b in itertools.pairwise(order):
        assert found[b] - found[a] >= gap - 1e-6
    assert sum(found) == pytest.approx(sum(places), abs=1e-6)


@given(st.lists(st.tuples(st.floats(20, 250), st.floats(20, 200)), min_size=1, max_size=3))
def test_few_labels_never_cover_each_other(points: list[tuple[float, float]]) -> None:
    names = ["merged", "alone", "general"][: len(points)]
    spots = place(points, names, [], (290, 225))
    boxes = []
    for (x, y), name, spot in zip(points, names, spots):
        width = charts.CHARACTER * len(name)
        left = x + spot.dx - (width if spot.align == "right" else 0)
        boxes.append((left, y + spot.dy, left + width))
    for i, a in enumerate(boxes):
        for b in boxes[:i]:
            apart = abs(a[1] - b[1]) >= LINE - 1e-9 or a[0] >= b[2] or b[0] >= a[2]
            assert apart


@given(st.integers(1, 500), st.integers(1, 100))
def test_averaged_points_are_few_and_keep_the_mean_and_the_end(count: int, most: int) -> None:
    points = [(float(i), float(i % 7)) for i in range(count)]
    found = averaged(points, most)
    assert len(found) <= most
    assert found[-1][0] == points[-1][0]
    assert found == averaged(points, most)


def test_averaging_one_run_is_the_mean() -> None:
    assert averaged([(1, 2.0), (2, 4.0), (3, 9.0)], most=1) == [(3, 5.0)]


def test_depth_of_a_heat_cell_counts_doublings() -> None:
    assert doublings(0.25, 0.125) == 1
    assert doublings(0.0, 0.125) == -2
    assert doublings(1.0, 0.125) == 2


def test_drawings_follow_the_page_and_escape_names() -> None:
    evil = "<script>&\"'"
    panels = [
        line_panel(evil, {evil: [(0, 1), (1, 2)]}, "step", "bits"),
        interval_panel(
            evil, [Mark(evil, 1.0, 0.5, 1.5, "a"), Mark("x", 2.0, series="b")], "x", 0.5
        ),
        heat_full(evil, [Heat(evil, 0, 0.3, 0.5), Heat(evil, 1, 0.7, 0.5)], "expert", "layer"),
    ]
    for panel in panels:
        assert "<script" not in panel.svg
        assert "var(--series-1)" in panel.svg
        assert "id=" not in panel.svg
    assert panels[0].svg == line_panel(evil, {evil: [(0, 1), (1, 2)]}, "step", "bits").svg


def test_text_of_a_drawing_is_never_smaller_than_ten_pixels() -> None:
    cells = [Heat(str(r), c, 0.1, 0.0625) for r in range(2) for c in range(16)]
    panel = heat_full("t", cells, "expert", "layer")
    sizes = re.findall(r'font-size="(\d+)px"', panel.svg + (panel.narrow or ""))
    assert min(map(int, sizes)) >= 10


def test_white_space_of_tokens_is_visible() -> None:
    assert visible(" a\n\t\x00\u202e") == "␣a⏎⇥\\u0000\\u202e"


def test_wide_table_is_cut_to_the_terminal_in_its_words() -> None:
    found = table("T", ["<name", "value"], [["x" * 200, Cell("0.123", "[0.1, 0.2]")]], [])
    lines = plain_table(found).splitlines()
    assert max(map(len, lines)) <= 100
    assert lines[-1].endswith("0.123 [0.1, 0.2]"), "numbers stay whole"
    assert "~" in lines[-1]


def test_ancestors_come_before_what_was_made_from_them(tmp_path: Path) -> None:
    raw = corpus(tmp_path / "raw")
    text = corpus(tmp_path / "text", {"corpus": raw})
    tokens = tokenset(tmp_path / "tokens", text)
    made = ancestry({"tokens": tokens, "corpus": raw})
    assert [m.name for m in made] == ["raw", "text", "tokens"]
    lines = tree(made)
    assert lines[0].startswith("tokens  tokens.encode")
    assert lines[2].strip("└─ ").startswith("of.corpus: raw")


def test_ancestor_that_is_gone_is_named_as_missing(tmp_path: Path) -> None:
    raw = corpus(tmp_path / "raw")
    text = corpus(tmp_path / "text", {"corpus": raw})
    shutil.rmtree(raw)
    made = ancestry({"text": text})
    assert isinstance(made[0], Made)
    assert made[0].record is None
    assert "missing" in "\n".join(tree(made))


def test_bits_per_byte_weigh_bytes_and_intervals_hold_the_value(tmp_path: Path) -> None:
    text = corpus(tmp_path / "text")
    held = tokenset(tmp_path / "held", text)
    documents = {"topics/0": 132, "topics/33": 268}  # bytes, see tokenset

    def fill(making: object) -> None:
        rows = [
            Score(s, "heldout/topics", d, "bits_per_byte_cost", 1.0 + i + n, "metric:likelihood")
            for n, s in enumerate(("dense", "moe"))
            for i, d in enumerate(documents)
        ]
        write_scores(making.path, rows)  # type: ignore[attr-defined]

    scores = artifact(tmp_path / "bits", "scores", "evals.perplexity", fill)
    systems, found = read_bits(scores, held)
    assert systems == ["dense", "moe"]
    weighed = np.average([1.0, 2.0], weights=list(documents.values()))
    first = found[0].systems[0]
    assert first.value == pytest.approx(weighed)
    assert first.low is not None
    assert first.high is not None
    assert first.low <= weighed <= first.high
    assert found[0].differences[0].value == pytest.approx(1.0)
