"""Checks of a sentence by rule alone: what each wants, and that no reference is looked at."""

from __future__ import annotations

import pytest

from olmeda.artifacts.examples import Instance
from olmeda.evals.scorers.text_checks import (
    complete,
    content_words,
    exact,
    mark_text_checks,
    parsable,
)

CODE = "def load_table(path, limit=10):\n    return read(path)[:limit]"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Load the table (all of it).", ""),
        ("Load e.g. The table.", ""),
        ('Load "it" now', ""),
        ("table", "not two words"),
        ("Load the\ntable.", "not two words on one line"),
        ("", "not two words"),
        ("Load (the table.", "brackets"),
        ("Load the] table.", "brackets"),
        ('Load the "table.', "brackets or quotes"),
        ("Load the `table.", "brackets or quotes"),
        ("Load it. Then go.", "more than one sentence"),
        ("Load \ufffd the table", "characters that are no text"),
    ],
)
def test_parsable(text: str, reason: str) -> None:
    assert parsable(text).startswith(reason)
    assert bool(parsable(text)) == bool(reason)


def test_parsable_as_a_docstring() -> None:
    assert parsable('Say """ and """ twice', "python") == "breaks the function as its docstring"
    assert parsable("Say a backslash \\", "python") == "breaks the function as its docstring"
    assert parsable("Load the table ends in \\", "") == ""
    assert parsable("Bad escape \\N here", "python") == "breaks the function as its docstring"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("Load a table from path.", ""),
        ("Load limit rows, 10 at most.", ""),
        ("Load 11 rows.", "11"),
        ("Call load_table() again.", ""),
        ("Call load_tables() again.", "load_tables()"),
        ("Set self.size first.", "self.size"),
        ("Return a DataFrame of rows.", "DataFrame"),
        ("Raise if 'path' is none.", ""),
        ("Raise if 'paths' is none.", "paths"),
        ("The reader's table, an HTTP one.", ""),
    ],
)
def test_exact_names_nothing_that_the_prompt_does_not(text: str, named: str) -> None:
    assert exact(text, f"Say what this does.\n\n{CODE}") == named


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Loads tables.", ""),
        ("Reading a file (quickly).", ""),
        ("Load the table", "does not end"),
        ("Return this and that.", "names nothing"),
        ("Something else.", "names nothing"),
    ],
)
def test_complete_statements_are_about_the_text(text: str, reason: str) -> None:
    assert complete(text, CODE).startswith(reason)
    assert bool(complete(text, CODE)) == bool(reason)


def test_content_words_ignore_endings_and_keywords() -> None:
    assert content_words("def parseHeaders(self): return None") == content_words("parsing header")


def test_quality_is_the_mean_and_never_asks_for_the_reference() -> None:
    metadata = {"about": CODE, "language": "python", "reference": "unseen"}
    instance = Instance("i", "generation", f"Say.\n\n{CODE}", "also unseen", metadata)
    marks = {m.scorer: m.value for m in mark_text_checks("Load a table of 3 rows.", instance)}
    assert marks == {"parsable": 1, "exact": 0, "complete": 1, "quality": pytest.approx(2 / 3)}
    other = Instance("i", "generation", instance.input, "x", {**metadata, "reference": "y"})
    assert marks == {m.scorer: m.value for m in mark_text_checks("Load a table of 3 rows.", other)}
    assert all(mark.value == 0 for mark in mark_text_checks(" \n", instance))
