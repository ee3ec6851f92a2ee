"""Plain text in pieces: paragraphs, sentences, headings; by rules, for languages with stops."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_SENTENCE_END = re.compile(r"(?<=[.!?])[\"')\]]*\s+(?=[\"'(\[]?[A-ZÀ-ÞΑ-ΩА-Я0-9])")
_NO_END = re.compile(r"(?:\b(?:e\.g|i\.e|etc|cf|vs|Mr|Mrs|Dr|St|No|Fig|p|pp)|\b[A-Z])\.$")
_UNDERLINE = re.compile(r"([=\-~^*#\"'])\1{2,}\s*$")
_MARKDOWN = re.compile(r"#{1,6}\s+(.*?)\s*#*\s*$")
_PROSE = re.compile(r"[^\W\d_]{2,}")


def paragraphs(text: str) -> list[str]:
    """Blocks between blank lines that read as prose, each on one line.

    Left out: indented blocks, lists, tables and code (a block of prose is mostly letters and spaces
    and has at least eight words).
    """
    blocks = (b.strip("\n") for b in re.split(r"\n\s*\n", text.replace("\r\n", "\n")))
    return [" ".join(b.split()) for b in blocks if _reads_as_prose(b)]


def _reads_as_prose(block: str) -> bool:
    if not block or block[0] in " \t#*-+|>`.:=~" or len(_PROSE.findall(block)) < 8:
        return False
    letters = sum(c.isalpha() or c in " \n" for c in block)
    return letters / len(block) > 0.85


def sentences(paragraph: str) -> list[str]:
    """The sentences of one paragraph: a stop, a space, and a capital or digit; not after "e.g."."""
    found: list[str] = []
    start = 0
    for end in _SENTENCE_END.finditer(paragraph):
        piece = paragraph[start : end.end()].strip()
        if not _NO_END.search(piece):
            found.append(piece)
            start = end.end()
    if last := paragraph[start:].strip():
        found.append(last)
    return found


@dataclass(frozen=True)
class Section:
    """A heading and the paragraphs below it, up to the next heading."""

    heading: str
    body: list[str]


def sections(text: str) -> list[Section]:
    """Every heading of a text with prose below it: Markdown, underlined, or a short line alone."""
    lines = text.replace("\r\n", "\n").split("\n")
    marks = list(_headings(lines))
    ends = [start for start, _, _ in marks[1:]] + [len(lines)]
    found = [
        Section(heading, paragraphs("\n".join(lines[after:end])))
        for (_, after, heading), end in zip(marks, ends)
    ]
    return [s for s in found if s.body]


def _headings(lines: list[str]) -> Iterator[tuple[int, int, str]]:
    """``(first line, line after, heading)`` of each heading."""
    for i, line in enumerate(lines):
        below = lines[i + 1] if i + 1 < len(lines) else ""
        above = lines[i - 1] if i else ""
        if marked := _MARKDOWN.match(line):
            if marked[1]:
                yield i, i + 1, marked[1]
        elif not line.strip() or line[0].isspace() or _UNDERLINE.match(line):
            continue
        elif _UNDERLINE.match(below) and len(below.strip()) >= min(3, len(line.strip())):
            yield i, i + 2, line.strip()
        elif not above.strip() and not below.strip() and _is_title(line.strip()):
            yield i, i + 1, line.strip()


def _is_title(line: str) -> bool:
    return len(line) <= 60 and line[0].isupper() and line[-1] not in ".,;:!?" and "  " not in line


def passages(document: str, least: int, most: int) -> Iterator[list[str]]:
    """Runs of sentences of one paragraph, ``least`` to ``most`` characters long, none overlapping.

    A paragraph longer than ``most`` gives several.
    """
    for paragraph in paragraphs(document):
        run: list[str] = []
        for sentence in sentences(paragraph):
            if run and len(" ".join([*run, sentence])) > most:
                if len(" ".join(run)) >= least:
                    yield run
                run = []
            run.append(sentence)
        if least <= len(" ".join(run)) <= most:
            yield run
