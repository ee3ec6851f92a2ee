"""The rubric as data: THumB's total to the last bit, ranges, steps and reasons."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from olmeda.base.errors import ConfigError
from olmeda.rubric.rubric import check_answer, load_rubric, read_rubric

from .conftest import rows_of

THUMB = load_rubric("thumb")


def test_total_is_exact_on_every_published_rating(thumb_data: Path) -> None:
    rows = rows_of(thumb_data / "mscoco_THumB-1.0.jsonl")
    assert len(rows) == 2500
    assert all(THUMB.total(row) == row["human_score"] for row in rows)


def test_every_published_value_is_one_the_rubric_allows(thumb_data: Path) -> None:
    for row in rows_of(thumb_data / "mscoco_THumB-1.0.jsonl"):
        for dimension in THUMB.dimensions:
            assert dimension.exact(row[dimension.key]) == row[dimension.key]


@given(
    st.integers(1, 5), st.integers(1, 5), *(st.integers(0, 10).map(lambda n: -n / 10),) * 3
)  # fmt: skip
def test_total_is_the_formula(p: int, r: int, fl: float, con: float, inc: float) -> None:
    total = THUMB.total({"P": p, "R": r, "Fl": fl, "Con": con, "Inc": inc})
    assert total == (p + r) / 2 + fl + con + inc


def test_formula_is_written_out() -> None:
    assert THUMB.formula == "0.5·P + 0.5·R + Fl + Con + Inc"
    assert load_rubric("thumb_text").keys == ["P", "R", "Fl", "Con"]


@pytest.mark.parametrize(
    ("key", "value"), [("P", 0), ("P", 6), ("P", 2.5), ("Fl", 0.1), ("Fl", -0.15), ("Fl", -2),
                       ("P", float("nan")), ("P", float("inf"))]
)  # fmt: skip
def test_value_off_its_range_or_step_is_refused(key: str, value: float) -> None:
    with pytest.raises(ConfigError, match="in steps of"):
        THUMB.dimension(key).exact(value)


def test_choices_are_the_allowed_values() -> None:
    assert THUMB.dimension("P").choices == [1, 2, 3, 4, 5]
    fluency = THUMB.dimension("Fl").choices
    assert (len(fluency), fluency[0], fluency[-1]) == (11, -1.0, 0.0)
    assert -0.3 in fluency


def test_sloppy_floats_become_the_step_they_mean() -> None:
    values = check_answer(THUMB.stages[0], THUMB, {"Fl": -0.1 - 0.2}, {"Fl": "garbled"})
    assert values == {"Fl": -0.3}
    assert str(check_answer(THUMB.stages[0], THUMB, {"Fl": -0.0}, {})["Fl"]) == "0.0"


def test_penalty_needs_a_reason_and_a_stage_takes_only_its_keys() -> None:
    precision = THUMB.stage("precision")
    with pytest.raises(ConfigError, match="Fluency: say in a word why"):
        check_answer(precision, THUMB, {"P": 4, "Fl": -0.1}, {"Fl": "  "})
    with pytest.raises(ConfigError, match="no dimension in the precision pass called 'R'"):
        check_answer(precision, THUMB, {"R": 4}, {})


def test_unknown_rubric_and_stages_that_miss_a_dimension_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no rubric called 'thum'; did you mean 'thumb'"):
        load_rubric("thum")
    home = Path(__file__).parent.parent.parent / "olmeda" / "rubric" / "rubrics"
    mine = tmp_path / "mine.yaml"
    mine.write_text((home / "thumb.yaml").read_text().replace("asks: [R]", "asks: [P]"))
    with pytest.raises(ConfigError, match=r"mine\.yaml: .*exactly once"):
        read_rubric(mine)
