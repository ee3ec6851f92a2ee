"""Ratings: nothing entered is lost, raters do not meet, strangers' files are refused."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from olmeda.artifacts.lineage import check
from olmeda.base.errors import ArtifactError, ConfigError, InputError
from olmeda.rubric.ratings import Ratings, check_rater, place_of
from olmeda.rubric.session import Session

from .conftest import Prepare


@pytest.fixture
def ratings(tmp_path: Path) -> Ratings:
    found = Ratings.create(tmp_path / "ratings" / "r.sqlite", "digest")
    found.join("ann")
    return found


def test_each_save_is_kept_and_the_latest_counts(ratings: Ratings) -> None:
    assert ratings.save("ann", "u1", "precision", {"P": 3}, {}, 4.0)
    assert ratings.save("ann", "u1", "precision", {"P": 4, "Fl": -0.1}, {"Fl": "½ <b>"}, 2.5)
    assert [r.dims for r in ratings.history()] == [{"P": 3}, {"P": 4, "Fl": -0.1}]
    now = ratings.current("ann")[("u1", "precision")]
    assert (now.dims, now.reasons, now.seconds) == ({"P": 4, "Fl": -0.1}, {"Fl": "½ <b>"}, 2.5)


def test_saving_the_same_again_or_nothing_leaves_no_trace(ratings: Ratings) -> None:
    assert not ratings.save("ann", "u1", "precision", {}, {}, 1.0)
    ratings.save("ann", "u1", "precision", {"P": 3}, {}, 1.0)
    assert not ratings.save("ann", "u1", "precision", {"P": 3}, {}, 1.0)
    assert len(ratings.history()) == 1


def test_raters_are_apart_and_keep_their_slots(ratings: Ratings) -> None:
    assert [ratings.join(n) for n in ("ann", "bob", "ann", "cyd")] == [0, 1, 0, 2]
    ratings.save("bob", "u1", "precision", {"P": 1}, {}, 1.0)
    assert ratings.current("ann") == {}


def test_many_writers_at_once_lose_nothing(ratings: Ratings) -> None:
    names = [f"r{i}" for i in range(4)]
    for name in names:
        ratings.join(name)

    def work(name: str) -> None:
        for value in range(12):
            Ratings(ratings.path).save(name, "u1", "recall", {"R": value}, {}, 0.1)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, names))
    assert len(ratings.history()) == 48
    assert all(ratings.current(n)[("u1", "recall")].dims == {"R": 11} for n in names)


def test_file_lies_outside_the_session_and_outlives_it(make_session: Prepare) -> None:
    folder = make_session()
    session = Session.open(folder)
    place = place_of(session)
    assert place == folder.absolute().parent / "ratings" / f"{session.digest[:16]}.sqlite"
    Ratings.create(place, session.digest).join("ann")
    check(folder, "session", contents=True)
    make_session("run/again")
    assert place_of(Session.open(folder.parent / "again")) == place
    assert place.is_file()


def test_foreign_missing_and_broken_files_are_refused(ratings: Ratings, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="ratings of another session"):
        Ratings.create(ratings.path, "another")
    with pytest.raises(InputError, match="no ratings yet; open the session"):
        Ratings.existing(tmp_path / "none.sqlite", "digest")
    noise = tmp_path / "noise.sqlite"
    noise.write_bytes(b"this is no database at all, but long enough to be read as one" * 20)
    with pytest.raises(InputError, match="no file of ratings"):
        Ratings.existing(noise, "digest")
    other = tmp_path / "other.sqlite"
    with sqlite3.connect(other) as db:
        db.execute("CREATE TABLE x (y)")
    db.close()
    with pytest.raises(InputError, match="no file of ratings"):
        Ratings.existing(other, "digest")


@pytest.mark.parametrize("name", ["", "   ", "a\nb", "x" * 61])
def test_bad_names_of_raters_are_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="no name for a rater"):
        check_rater(name)
