"""rubric.agree: complete ratings become human rows for every author of a text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from olmeda.artifacts.scores import Scores
from olmeda.base.errors import InputError
from olmeda.base.files import read_json
from olmeda.rubric.agree import AgreeConfig, Agreement, agree
from olmeda.rubric.ratings import Ratings, place_of
from olmeda.rubric.session import Session

from .conftest import Prepare, rows_of


def rate(folder: Path, rater: str, raise_by: int = 0, units: int | None = None) -> Ratings:
    """Rate the first ``units`` of a rater's order in both passes."""
    session = Session.open(folder)
    ratings = Ratings.create(place_of(session), session.digest)
    order = session.order(rater, ratings.join(rater))
    for place, unit in enumerate(order[:units]):
        value = min(5, 1 + int(unit[1:]) % 4 + raise_by)
        penalty = -0.1 if place == 0 else 0.0
        why = {"Fl": "stops short"} if place == 0 else {}
        ratings.save(rater, unit, "precision", {"P": value, "Fl": penalty, "Con": 0.0}, why, 3.0)
        ratings.save(rater, unit, "recall", {"R": 5 - int(unit[1:]) % 3}, {}, 2.0)
    return ratings


def test_ratings_become_scores_of_their_systems(make_session: Prepare, tmp_path: Path) -> None:
    folder = make_session(raters=1)
    rate(folder, "ann")
    rate(folder, "bob", raise_by=1)
    out = agree(AgreeConfig(session=folder, resamples=50), tmp_path / "agreed")
    frame = Scores.open(out).frame
    assert len(frame) == 2 * 18 * 5  # two raters, 18 cells, four dimensions and the total
    assert frame["rater"].unique().sort().to_list() == ["human:ann", "human:bob"]
    total = frame.filter(frame["scorer"] == "thumb_text.total")
    same = total.filter((total["item"] == "i0") & (total["rater"] == "human:ann"))
    values = dict(same.select("system", "value").rows())
    assert values["alpha"] == values["beta"]  # one text, two systems
    found: Agreement = read_json(out / "agreement.json", Agreement)
    assert found.dimensions["R"].ordinal.value == 1.0
    assert found.dimensions["P"].interval.value < 1.0
    assert found.dimensions["Con"].ordinal.reason == "every rating is the same"
    assert found.dimensions["P"].pairs[0].mean_difference < 0
    assert found.raters["ann"].complete == 17
    assert found.raters["ann"].median_seconds == 5.0
    assert found.systems["Human"]["total"].n == 12


def test_rows_are_exported_as_thumb_published_them(make_session: Prepare, tmp_path: Path) -> None:
    folder = make_session(raters=1)
    rate(folder, "ann")
    out = agree(AgreeConfig(session=folder, resamples=5), tmp_path / "agreed")
    rows = rows_of(out / "ratings.jsonl")
    assert len(rows) == 18
    for row in rows:
        assert row["human_score"] == (row["P"] + row["R"]) / 2 + row["Fl"] + row["Con"]
    assert {r["reasons"].get("Fl") for r in rows if r["Fl"]} == {"stops short"}


def test_unfinished_ratings_are_counted_and_left_out(make_session: Prepare, tmp_path: Path) -> None:
    folder = make_session(raters=1)
    ratings = rate(folder, "ann", units=3)
    ratings.save("ann", Session.open(folder).order("ann", 0)[5], "precision", {"P": 2}, {}, 1.0)
    out = agree(AgreeConfig(session=folder, resamples=5), tmp_path / "agreed")
    found: Agreement = read_json(out / "agreement.json", Agreement)
    assert (found.raters["ann"].complete, found.raters["ann"].begun) == (3, 1)


def test_new_ratings_make_it_anew_and_equal_ones_do_not(
    make_session: Prepare, tmp_path: Path
) -> None:
    folder = make_session(raters=1)
    ratings = rate(folder, "ann", units=2)
    config = AgreeConfig(session=folder, resamples=5)
    key = agree.plan(config).key
    ratings.join("someone who only looked")
    assert agree.plan(config).key == key
    ratings.save("ann", ratings.history()[0].unit, "recall", {"R": 1}, {}, 1.0)
    assert agree.plan(config).key != key


@pytest.mark.parametrize("begun", [False, True])
def test_without_a_complete_rating_nothing_is_invented(
    begun: bool, make_session: Prepare, tmp_path: Path
) -> None:
    folder = make_session()
    session: Any = Session.open(folder)
    if begun:
        Ratings.create(place_of(session), session.digest).join("ann")
    with pytest.raises(InputError, match=r"no rating is complete yet|no ratings yet"):
        agree(AgreeConfig(session=folder), tmp_path / "agreed")
