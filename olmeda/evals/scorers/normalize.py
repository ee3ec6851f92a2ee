"""Normal forms in which answers are compared."""

from __future__ import annotations

import re
import string
from collections.abc import Mapping
from typing import Any

from olmeda.evals.pairs import Compat, Unscorable, kind_of

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalize_answer(text: str) -> str:
    """SQuAD's normal form: lower case, no ASCII punctuation, no English articles, single spaces."""
    plain = text.lower().translate(_PUNCTUATION)
    return " ".join(_ARTICLES.sub(" ", plain).split())


def flatten(value: Any, compat: Compat | None = None) -> list[Any]:
    """The entries of nested lists, in order; an object gives its keys.

    A string is one entry (compat: its characters). Raises Unscorable for a number or null.
    """
    if isinstance(value, str):
        return list(value) if compat else [value]
    if isinstance(value, Mapping):
        return list(value)
    if not isinstance(value, list):
        raise Unscorable(f"expected a list, found {kind_of(value)}")
    found: list[Any] = []
    waiting = value[::-1]
    while waiting:
        entry = waiting.pop()
        if isinstance(entry, list):
            waiting.extend(reversed(entry))
        else:
            found.append(entry)
    return found


def normalize_list_entry(entry: Any, compat: Compat | None = None) -> str:
    """One entry of an answer as text: lower case, null as "", floats with two decimals.

    Inside a nested list compat keeps the case and takes strings only; a truth value is "True" to
    compat, "true" else. Raises Unscorable for an object.
    """
    if entry is None:
        return ""
    if isinstance(entry, str):
        return entry.strip().lower()
    if isinstance(entry, bool):
        return str(entry) if compat else str(entry).lower()
    if isinstance(entry, int):
        return str(entry)
    if isinstance(entry, float):
        return str(round(entry, 2))
    if not isinstance(entry, list):
        raise Unscorable(f"expected text or a number, found {kind_of(entry)}")
    parts = flatten(entry, compat)
    if compat is None:
        return " ".join(normalize_list_entry(part) for part in parts)
    if wrong := [part for part in parts if not isinstance(part, str)]:
        raise Unscorable(f"expected text in a nested list, found {kind_of(wrong[0])}")
    return " ".join(parts)
