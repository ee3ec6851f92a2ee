"""The parts of a page: sections of tables, figures and paragraphs, each with its origin.

A section is data; ``render`` puts sections into the one HTML template. What a section says in
``facts`` stands first on the page, its ``brief`` tables are also printed as plain text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Origin:
    """Where numbers come from: the command that traces them and the digest of the artifact."""

    command: str
    digest: str


@dataclass(frozen=True)
class Cell:
    """One cell: ``interval`` is set smaller after the text, ``bar`` (0..1) drawn behind it."""

    text: str
    interval: str = ""
    bar: float | None = None
    code: bool = False


@dataclass(frozen=True)
class Column:
    """The head of a column: numbers at the right, words on one line, prose broken at spaces."""

    title: str
    kind: Literal["number", "word", "prose"] = "number"


@dataclass(frozen=True)
class Table:
    """Rows of cells below columns; ``strong`` are the indices of the rows to stress."""

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    origins: tuple[Origin, ...]
    strong: frozenset[int] = frozenset()
    kind: Literal["table"] = "table"


@dataclass(frozen=True)
class Panel:
    """One drawing: an SVG for all screens, or another one for narrow screens."""

    svg: Markup
    narrow: Markup | None = None


@dataclass(frozen=True)
class Figure:
    """Panels above one caption; ``alt`` says in a sentence what a blind reader should know."""

    caption: str
    panels: tuple[Panel, ...]
    alt: str
    origins: tuple[Origin, ...]
    kind: Literal["figure"] = "figure"


@dataclass(frozen=True)
class Text:
    """A paragraph, a small note, a command to type, or code: lines kept as they are."""

    text: str
    style: Literal["plain", "note", "command", "code"] = "plain"
    kind: Literal["text"] = "text"


@dataclass(frozen=True)
class Fact:
    """A key number for the top of the page."""

    value: str
    label: str
    origin: Origin


@dataclass(frozen=True)
class Section:
    """One section; ``id`` is its anchor, ``lead`` its first paragraph."""

    id: str
    title: str
    lead: str
    blocks: tuple[Table | Figure | Text, ...]
    facts: tuple[Fact, ...] = ()
    brief: tuple[Table, ...] = field(default=())


Row = list[Cell | str]
"""A row as sections write it; text alone is a plain cell."""


def table(
    caption: str,
    columns: Sequence[str],
    rows: Sequence[Row],
    origins: Sequence[Origin],
    strong: Sequence[int] = (),
) -> Table:
    """A table from plain parts; a title that starts with ``<`` heads words, with ``<<`` prose."""
    kinds: tuple[Literal["number", "word", "prose"], ...] = ("number", "word", "prose")
    heads = tuple(Column(c.lstrip("<"), kinds[len(c) - len(c.lstrip("<"))]) for c in columns)
    cells = tuple(tuple(c if isinstance(c, Cell) else Cell(c) for c in row) for row in rows)
    assert all(len(row) == len(heads) for row in cells), caption
    return Table(caption, heads, cells, tuple(dict.fromkeys(origins)), frozenset(strong))


def render(title: str, about: str, sections: Sequence[Section]) -> str:
    """The page as one HTML text that needs nothing beside it."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    template = environment.get_template("report.html.jinja")
    facts = [fact for section in sections for fact in section.facts]
    return template.render(title=title, about=about, sections=sections, facts=facts)
