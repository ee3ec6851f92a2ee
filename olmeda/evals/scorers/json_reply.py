"""JSON in what a model replied: whole, or somewhere in the text."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Literal, NamedTuple

from olmeda.base.errors import InputError
from olmeda.evals.pairs import Compat
from olmeda.evals.scorers.f1 import fraction

Status = Literal["valid_json", "null_json", "extract_success", "extract_failure"]
STATUSES: tuple[Status, ...] = ("valid_json", "null_json", "extract_success", "extract_failure")
_BRACKETS: dict[type, tuple[str, str]] = {list: ("[", "]"), dict: ("{", "}")}
FALSE_STARTS = 1000
"""A reply is given up after so many brackets that begin no JSON."""


class Reply(NamedTuple):
    """What a reply says: its value (the default where there is none), how it was read, its text."""

    value: Any
    status: Status
    raw: str

    @property
    def is_parsed(self) -> bool:
        return self.status != "extract_failure"


def loads(text: str) -> tuple[Any, bool]:
    """``(value, whether it is JSON)``; NaN and Infinity pass, as Python's json lets them."""
    try:
        return json.loads(text), True
    except (ValueError, RecursionError):  # broken; a number of 5000 digits; nested too deeply
        return None, False


def parse_reply(
    text: str,
    default: list[Any] | dict[str, Any],
    *,
    brace_closes_list: bool = False,
    compat: Compat | None = None,
) -> Reply:
    """Read a reply as JSON: the whole text, else the first list (or object) inside it.

    ``default`` is the value of a reply that says null or nothing, and its type says what to look
    for. ``brace_closes_list``: mend a closing ``}`` at the very end to ``]``. compat looks for the
    end of a list by counting brackets, in strings too, so that brackets in strings mislead it and a
    stray closing bracket hides all that follows.
    """
    if brace_closes_list:
        text = text.strip()
        text = f"{text[:-1]}]" if text.endswith("}") else text
    value, is_json = loads(text)
    if is_json:
        if value is None or value == "null":
            return Reply(default, "null_json", text)
        return Reply(value, "valid_json", text)
    opening, closing = _BRACKETS[type(default)]
    found = _by_counting(text, opening, closing) if compat else _by_decoding(text, opening)
    if not found:
        return Reply(default, "extract_failure", text)
    return Reply(found[0], "extract_success", text)


def _by_decoding(text: str, opening: str) -> list[Any]:
    """The first value that begins with ``opening`` and decodes, in a list; else an empty list."""
    decoder = json.JSONDecoder()
    at = text.find(opening)
    for _ in range(FALSE_STARTS):
        if at < 0:
            break
        try:
            return [decoder.raw_decode(text, at)[0]]
        except (ValueError, RecursionError):
            at = text.find(opening, at + 1)
    return []


def _by_counting(text: str, opening: str, closing: str) -> list[Any]:
    depth, start = 0, -1
    for place, character in enumerate(text):
        if character == opening:
            start = place if depth == 0 else start
            depth += 1
        elif character == closing:
            depth -= 1
            if depth == 0 and start >= 0:
                value, is_json = loads(text[start : place + 1])
                if is_json:
                    return [value]
                start = -1
    return []


def count_replies(replies: Iterable[Reply]) -> dict[str, float]:
    """How many replies were read in each way, and ``frac_success`` (null is no success)."""
    counts = Counter(reply.status for reply in replies)
    found: dict[str, float] = {status: counts[status] for status in STATUSES}
    read = counts["valid_json"] + counts["extract_success"]
    return found | {"frac_success": fraction(read, counts.total())}


def parse_references(texts: Sequence[str]) -> list[Any]:
    """References as values. Raises InputError for one that is no JSON or null."""
    values = []
    for number, text in enumerate(texts):
        value, is_json = loads(text)
        if not is_json or value is None or value == "null":
            raise InputError(f"reference {number} is not valid JSON: {text[:80]!r}")
        values.append(value)
    return values
