"""One tidy table: keys are unique, raters are of a known kind, a checker is no human."""

from __future__ import annotations

from pathlib import Path

import pytest

from olmeda.artifacts.lineage import Making
from olmeda.artifacts.scores import Score, Scores, checked, frame_of, write_scores
from olmeda.artifacts.verb import verb
from olmeda.base.config import Config
from olmeda.base.errors import ArtifactError

ROW = Score("dense", "test/extraction", "i1", "f1", 0.5, "checker:json")


class RowsConfig(Config):
    value: float = 0.5


@verb("test.scores", makes="scores")
def rows(config: RowsConfig, making: Making) -> None:
    """Write one score."""
    write_scores(making.path, [Score("s", "t", "i", "f1", config.value, "metric:f1")])


def test_rows_come_back_sorted(tmp_path: Path) -> None:
    out = rows(RowsConfig(), tmp_path / "a")
    assert Scores.open(out).frame.rows() == [("s", "t", "i", "f1", 0.5, "metric:f1")]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ([ROW, ROW], "two values for"),
        ([Score("s", "t", "i", "f1", 1.0, "crowd")], "rater 'crowd' is none of human, checker"),
    ],
)
def test_wrong_table_is_refused(wrong: list[Score], says: str) -> None:
    with pytest.raises(ArtifactError, match=says):
        checked(frame_of(wrong), "here")


def test_two_tables_that_disagree_cannot_be_joined(tmp_path: Path) -> None:
    one = rows(RowsConfig(), tmp_path / "a")
    same = rows(RowsConfig(), tmp_path / "b")
    other = rows(RowsConfig(value=0.7), tmp_path / "c")
    assert len(Scores.join([one, same])) == 1
    with pytest.raises(ArtifactError, match="two values for"):
        Scores.join([one, other])
