"""The rating session: how to open it, and whether people have rated yet."""

from __future__ import annotations

import shlex
from pathlib import Path

from olmeda.artifacts.lineage import Lineage
from olmeda.rubric.ratings import Ratings, place_of
from olmeda.rubric.session import Session
from olmeda.web.numerals import whole
from olmeda.web.page import Row, Section, Text, table
from olmeda.web.provenance import as_typed, origin


def session_section(path: Path) -> Section:
    """The session made by rubric.prepare, with the command that opens it."""
    session, where = Session.open(path), origin(path)
    counts = Lineage.open(path).counts.items()
    rows: list[Row] = [["task", session.task], ["rubric", session.rubric.name]]
    rows += [[name.replace("_", " "), whole(value)] for name, value in counts]
    held = table("What the session holds.", ["<Of the session", "<"], rows, [where])
    said = ratings_so_far(path)
    lead = f"People can rate the same outputs blind, on a page of this machine alone. {said}"
    return Section("session", "Rating session", lead, (Text(open_command(path), "command"), held))


def open_command(session: Path) -> str:
    """The shell line that opens a session."""
    return f"olmeda rubric open {shlex.quote(str(as_typed(session)))} --rater YOUR_NAME"


def ratings_so_far(path: Path) -> str:
    """Whether anybody has rated. The tour invents no ratings."""
    session = Session.open(path)
    place = place_of(session)
    if not place.is_file():
        return "No ratings exist yet."
    history = Ratings.existing(place, session.digest).history()
    rated = len({(r.rater, r.unit) for r in history})
    raters = len({r.rater for r in history})
    if not rated:
        return "No ratings exist yet."
    return f"So far {raters} raters have rated {rated} texts; rubric.agree turns them into scores."
