"""Scores: one tidy table. A benchmark item, a preference, a board cell and a human rating are rows.

Columns: ``system`` (what was judged), ``task``, ``item`` (``*`` for a whole task), ``scorer``
(what was measured, higher is better unless its name ends in ``_cost``), ``value`` (float64) and
``rater`` (who or what gave the value).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from olmeda.artifacts.lineage import check
from olmeda.base.errors import ArtifactError
from olmeda.base.files import atomic_write

WHOLE = "*"
"""The ``item`` of a value that belongs to a whole task."""
COST = "_cost"
"""How the name of a scorer ends whose lower values are better."""

RATERS = ("human", "checker", "metric", "model")
"""What a rater may be: the part of ``rater`` before the colon. A checker is never called human."""

COLUMNS = {
    "system": pl.String,
    "task": pl.String,
    "item": pl.String,
    "scorer": pl.String,
    "value": pl.Float64,
    "rater": pl.String,
}
KEY = ["system", "task", "item", "scorer", "rater"]


class Score(msgspec.Struct, frozen=True):
    """One row. ``rater`` is ``kind:name`` with kind one of human, checker, metric, model."""

    system: str
    task: str
    item: str
    scorer: str
    value: float
    rater: str


def frame_of(rows: Iterable[Score]) -> pl.DataFrame:
    """Rows as a frame in the table's column order."""
    columns: dict[str, list[Any]] = {name: [] for name in COLUMNS}
    for row in rows:
        for name in COLUMNS:
            columns[name].append(getattr(row, name))
    return pl.DataFrame(columns, schema=COLUMNS)


def checked(frame: pl.DataFrame, where: str) -> pl.DataFrame:
    """The frame, sorted by key. Raises ArtifactError for wrong columns, raters or repeated keys."""
    missing = [c for c in COLUMNS if c not in frame.columns]
    if missing or len(frame.columns) != len(COLUMNS):
        raise ArtifactError(f"{where}: scores have columns {list(COLUMNS)}, not {frame.columns}")
    frame = frame.select(pl.col(c).cast(t) for c, t in COLUMNS.items())
    kinds = frame["rater"].str.split(":").list.first().unique().sort().to_list()
    if wrong := [k for k in kinds if k not in RATERS]:
        raise ArtifactError(f"{where}: rater {wrong[0]!r} is none of {', '.join(RATERS)}")
    twice = frame.filter(pl.struct(KEY).is_duplicated())
    if len(twice):
        raise ArtifactError(f"{where}: two values for {dict(twice.select(KEY).row(0, named=True))}")
    return frame.sort(KEY)


@dataclass(frozen=True)
class Scores:
    """A finished table of scores (plus whatever files its maker put beside it)."""

    path: Path
    frame: pl.DataFrame

    @classmethod
    def open(cls, path: Path) -> Scores:
        """Open the scores at ``path``. Raises ArtifactError if unfinished or of another shape."""
        check(path, "scores")
        return cls(path, checked(pl.read_parquet(path / "scores.parquet"), str(path)))

    @classmethod
    def join(cls, paths: Sequence[Path]) -> pl.DataFrame:
        """All rows of several score artifacts. Raises ArtifactError where two disagree."""
        frames = [cls.open(p).frame for p in paths]
        return checked(pl.concat(frames).unique(), " + ".join(map(str, paths)))


def write_scores(folder: Path, rows: Iterable[Score] | pl.DataFrame) -> int:
    """Write ``scores.parquet`` into an artifact in the making; return the number of rows."""
    frame = checked(rows if isinstance(rows, pl.DataFrame) else frame_of(rows), str(folder))
    with atomic_write(folder / "scores.parquet") as temporary:
        frame.write_parquet(temporary, compression="zstd")
    return len(frame)
