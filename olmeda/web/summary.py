"""The summary: the brief tables of a page as plain text that fits 100 columns."""

from __future__ import annotations

from collections.abc import Sequence

from olmeda.web.numerals import MINUS
from olmeda.web.page import Cell, Section, Table

WIDTH = 100
PLAIN = str.maketrans({MINUS: "-", "–": "-", "…": "~", "\N{NO-BREAK SPACE}": " "})


def summary(title: str, sections: Sequence[Section], closing: Sequence[str]) -> str:
    """The tables of all sections below one another, then the ``closing`` lines."""
    parts = [title]
    parts += [plain_table(brief) for section in sections for brief in section.brief]
    parts.append("\n".join(closing))
    return "\n\n".join(parts) + "\n"


def plain_table(found: Table) -> str:
    """One table as aligned text; words are cut where a line would pass the width."""
    heads = [column.title for column in found.columns]
    numbers = [column.kind == "number" for column in found.columns]
    lines = [heads, *([_plain(cell) for cell in row] for row in found.rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(heads))]
    widths = _fitted(widths, numbers)
    body = [_line(line, widths, numbers) for line in lines]
    trace = f"   ({found.origins[0].command})" if found.origins else ""
    head = f"{found.caption}{trace}".translate(PLAIN)[:WIDTH]
    return "\n".join([head, *(line for line in body if line)])


def _plain(cell: Cell) -> str:
    text = f"{cell.text} {cell.interval}".rstrip()
    return " ".join(text.translate(PLAIN).split())


def _fitted(widths: list[int], numbers: list[bool]) -> list[int]:
    """Narrow the word columns, the widest first, until the line fits."""
    widths = list(widths)
    room = WIDTH - 2 * len(widths)
    while sum(widths) > room:
        words = [i for i, number in enumerate(numbers) if not number and widths[i] > 8]
        if not words:
            break
        widths[max(words, key=lambda i: widths[i])] -= 1
    return widths


def _line(line: list[str], widths: list[int], numbers: list[bool]) -> str:
    cells = [
        text[: w - 1] + "~" if len(text) > w else text.rjust(w) if number else text.ljust(w)
        for text, w, number in zip(line, widths, numbers)
    ]
    return ("  " + "  ".join(cells)).rstrip()[:WIDTH]
