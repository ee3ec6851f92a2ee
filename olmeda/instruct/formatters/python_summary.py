"""Functions with the summary sentence of their docstrings, and what else the docstring says."""

from __future__ import annotations

from collections.abc import Iterator

from olmeda.artifacts.corpus import Document
from olmeda.instruct.prose import sentences
from olmeda.instruct.python_code import functions, is_python
from olmeda.instruct.registries import Item, formatter

REFERENCE = 300
"""Characters of a reference: metrics of overlap say little about a page against a sentence."""


@formatter("python_summary")
def python_summary(
    document: Document, *, characters: int = 300, longest: int = 110, least_rest: int = 5
) -> Iterator[Item]:
    """Documented functions: fields ``code`` (docstring removed) and ``summary``.

    ``code`` is cut after the last whole line within ``characters``. The summary is the docstring's
    first sentence (3 words to ``longest`` characters); a missing full stop is put. What else the
    docstring says (at least ``least_rest`` words) goes to ``about.reference``: a second text by the
    same hand about the same function, to compare every writer with, the first text's included.
    """
    if not is_python(document):
        return
    for function in functions(document.text):
        if function.docstring is None:
            continue
        summary, rest = split_docstring(function.docstring)
        code = head(function.code, characters)
        plain = len(summary.split()) >= 3 and len(summary) <= longest and summary[-1] in ".!?"
        if code and plain and len(rest.split()) >= least_rest:
            about = {"about": code, "reference": rest, "name": function.name, "language": "python"}
            yield Item(function.part, {"code": code, "summary": summary}, about)


def split_docstring(docstring: str) -> tuple[str, str]:
    """A docstring's first sentence on one line, and the start of the rest, spaces collapsed."""
    first, _, below = docstring.strip().partition("\n\n")
    parts = sentences(" ".join(first.split()))
    rest = " ".join([*parts[1:], *below.split()])
    summary = parts[0] if parts else ""
    if summary[-1:].isalnum() or summary[-1:] == ")":
        summary += "."
    return summary, shortened(rest, REFERENCE)


def shortened(text: str, characters: int) -> str:
    """The whole words of ``text`` that fit into ``characters``."""
    return text if len(text) <= characters else text[: characters + 1].rpartition(" ")[0]


def head(code: str, characters: int) -> str:
    """The whole lines of ``code`` that fit into ``characters``; empty if not even the first does.

    The first line must end the signature, so that what is shown begins with a whole one.
    """
    lines = code.split("\n")
    if not lines[0].rstrip().endswith(":") and len(code) > characters:
        return ""
    kept: list[str] = []
    for line in lines:
        if len("\n".join([*kept, line])) > characters:
            break
        kept.append(line)
    return "\n".join(kept)
