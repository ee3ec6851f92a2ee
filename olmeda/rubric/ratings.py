"""Ratings in SQLite: each save is a new revision, so nothing a person entered is ever lost.

The file lies outside the session, at ``<run folder>/ratings/<session digest, 16>.sqlite``, so that
making the session again never touches it. Several raters may write at the same time.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from olmeda.base.errors import ArtifactError, ConfigError, InputError, ResourceError
from olmeda.rubric.session import Session

SCHEMA = """
CREATE TABLE IF NOT EXISTS session (digest TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS raters (name TEXT PRIMARY KEY, slot INTEGER NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS revisions (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  rater TEXT NOT NULL REFERENCES raters(name),
  unit TEXT NOT NULL,
  stage TEXT NOT NULL,
  dims TEXT NOT NULL,
  reasons TEXT NOT NULL,
  seconds REAL NOT NULL,
  saved_at TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS revisions_of ON revisions (rater, unit, stage, id);
CREATE VIEW IF NOT EXISTS current AS
  SELECT * FROM revisions WHERE id IN (SELECT max(id) FROM revisions GROUP BY rater, unit, stage);
"""


class Revision(msgspec.Struct, frozen=True):
    """What one rater said about one unit in one stage at one time.

    ``seconds``: what the rater spent on the page since the revision before.
    """

    rater: str
    unit: str
    stage: str
    dims: dict[str, float]
    reasons: dict[str, str]
    seconds: float
    saved_at: str


def place_of(session: Session) -> Path:
    """Where the ratings of a session lie by default."""
    return session.path.absolute().parent / "ratings" / f"{session.digest[:16]}.sqlite"


@dataclass(frozen=True)
class Ratings:
    """The ratings of one session, in one SQLite file."""

    path: Path

    @classmethod
    def create(cls, path: Path, digest: str) -> Ratings:
        """Open the file, making it if need be. Raises ArtifactError if it is another session's."""
        path.parent.mkdir(parents=True, exist_ok=True)
        ratings = cls(path)
        with ratings._open() as db:
            db.executescript("PRAGMA journal_mode = WAL;" + SCHEMA)
            db.execute(
                "INSERT INTO session SELECT ? WHERE NOT EXISTS (SELECT 1 FROM session)", [digest]
            )
        ratings.check_session(digest)
        return ratings

    @classmethod
    def existing(cls, path: Path, digest: str) -> Ratings:
        """Open a file that is there. Raises InputError if it is not."""
        if not path.is_file():
            raise InputError(
                f"{path}: no ratings yet; open the session and rate: "
                "olmeda rubric open SESSION --rater NAME"
            )
        ratings = cls(path)
        ratings.check_session(digest)
        return ratings

    def check_session(self, digest: str) -> None:
        """Raise ArtifactError if the ratings are about another session."""
        with self._open() as db:
            held = db.execute("SELECT digest FROM session").fetchone()
        if held is None or held[0] != digest:
            raise ArtifactError(
                f"{self.path}: holds ratings of another session; name the file of this one"
            )

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """A connection for one transaction, with SQLite's troubles put into our words."""
        try:
            with contextlib.closing(sqlite3.connect(self.path, timeout=10.0)) as db:
                db.execute("PRAGMA synchronous = FULL")
                with db:
                    yield db
        except sqlite3.OperationalError as problem:
            if "no such table" in str(problem):
                raise InputError(f"{self.path}: no file of ratings ({problem})") from None
            raise ResourceError(
                f"{self.path}: {problem}; see that the folder can be written and has space"
            ) from None
        except sqlite3.DatabaseError as problem:
            raise InputError(f"{self.path}: no file of ratings ({problem})") from None

    def join(self, rater: str) -> int:
        """The slot of a rater: the order of first coming, kept from then on."""
        with self._open() as db:
            db.execute(
                "INSERT INTO raters SELECT ?, (SELECT count(*) FROM raters) "
                "WHERE NOT EXISTS (SELECT 1 FROM raters WHERE name = ?)",
                [rater, rater],
            )
            slot: int = db.execute("SELECT slot FROM raters WHERE name = ?", [rater]).fetchone()[0]
        return slot

    def save(
        self,
        rater: str,
        unit: str,
        stage: str,
        dims: Mapping[str, float],
        reasons: Mapping[str, str],
        seconds: float,
    ) -> bool:
        """Append a revision; False, and nothing kept, if it says what the latest one says."""
        said = (json.dumps(dict(dims)), json.dumps(dict(reasons), ensure_ascii=False))
        with self._open() as db:
            held = db.execute(
                "SELECT dims, reasons FROM current WHERE rater = ? AND unit = ? AND stage = ?",
                [rater, unit, stage],
            ).fetchone()
            if held == said or (held is None and not dims):
                return False
            now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            db.execute(
                "INSERT INTO revisions (rater, unit, stage, dims, reasons, seconds, saved_at) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                [rater, unit, stage, *said, seconds, now],
            )
        return True

    def current(self, rater: str) -> dict[tuple[str, str], Revision]:
        """The latest revision of each (unit, stage) of one rater."""
        with self._open() as db:
            rows = db.execute(f"SELECT {COLUMNS} FROM current WHERE rater = ?", [rater]).fetchall()
        return {(r.unit, r.stage): r for r in map(_revision, rows)}

    def history(self) -> list[Revision]:
        """Every revision of every rater, in the order of saving."""
        with self._open() as db:
            rows = db.execute(f"SELECT {COLUMNS} FROM revisions ORDER BY id").fetchall()
        return [_revision(row) for row in rows]


COLUMNS = "rater, unit, stage, dims, reasons, seconds, saved_at"


def _revision(row: tuple[str, str, str, str, str, float, str]) -> Revision:
    rater, unit, stage, dims, reasons, seconds, saved_at = row
    return Revision(rater, unit, stage, json.loads(dims), json.loads(reasons), seconds, saved_at)


def check_rater(name: str) -> str:
    """The name, trimmed. Raises ConfigError for an empty, long or unprintable one."""
    name = name.strip()
    if not name or len(name) > 60 or not name.isprintable():
        raise ConfigError(f"{name!r} is no name for a rater; say --rater with 1 to 60 letters")
    return name
