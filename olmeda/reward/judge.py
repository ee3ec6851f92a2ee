"""What a language model said as a judge: a verdict between answers, or ratings from 1 to 10.

The original parsers take the first pattern that matches; where a reply names both answers that
favours A. Here such a reply is no verdict, and each style reads what it asked for; ``compat:
rewardbench`` reads as the original does. No verdict is None, never an exception.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Literal

Compat = Literal["rewardbench"] | None
Style = Literal["brackets", "prometheus", "con-j", "offsetbias", "atla"]
"""The reply format; Gemini and RISE-Judge use brackets like the default."""

BETTER = "更好的回答"
CON_J_KEYS = (
    BETTER, "更好回答", "更好得回答", "更好地回答", "better_answer", "better answer", "更好答案",
    "更好得答案", "更好的答案", "更好地答案", "更佳回答", "更佳答案", "更好答", "最佳答案",
    "更好答 案", "更好 的 回答", "betterAnswer", "更好 的 回应", "更好得回应回答", "答案", "回答",
)  # fmt: skip
"""The spellings of "better answer" that Con-J replies use, in the order they are looked for."""
DIGITS = {"１": "1", "２": "2"}


def verdict(reply: str, style: Style = "brackets", compat: Compat = None) -> str | None:
    """``A`` or ``B``, or None where the reply in this style names none (or, by default, both)."""
    if style == "con-j":
        return {"1": "A", "2": "B"}.get(_con_j(reply) or "")
    strict, original = _PARSERS[style]
    return original(reply) if compat else strict(reply)


def four_way_verdict(reply: str, compat: Compat = None) -> str | None:
    """``A`` to ``D`` in double brackets, or None."""
    named = [letter for letter in "ABCD" if f"[[{letter}]]" in reply]
    if compat:
        return named[0] if named else None
    return named[0] if len(named) == 1 else None


def _only(found: Sequence[str]) -> str | None:
    return found[0] if len(set(found)) == 1 else None


def _brackets(reply: str) -> str | None:
    return _only(re.findall(r"\[\[([AB])\]\]", reply))


def _brackets_original(reply: str) -> str | None:
    return next((letter for letter in "AB" if f"[[{letter}]]" in reply), None)


def _prometheus(reply: str) -> str | None:
    return _only(re.findall(r"\[RESULT\]\W*([AB])\b", reply)[-1:])


def _prometheus_original(reply: str) -> str | None:
    return reply[-1] if "[RESULT]" in reply and reply[-1] in "AB" else None


def _offsetbias(reply: str) -> str | None:
    only = _only(re.findall(r"Output \(([ab])\)", reply))
    return only.upper() if only else None


def _offsetbias_original(reply: str) -> str | None:
    return next((letter.upper() for letter in "ab" if f"Output ({letter})" in reply), None)


def _atla(reply: str) -> str | None:
    found = re.search(r"\*\*Result:\*\*\s*\W?(?:Response\s+)?([AB])\b", reply)
    return found[1] if found else None


def _atla_original(reply: str) -> str | None:
    found = re.search(r"\*\*Result:\*\*\s*(\w+)", reply)
    return found[1] if found and found[1] in ("A", "B") else None


_Parser = Callable[[str], str | None]
_PARSERS: dict[str, tuple[_Parser, _Parser]] = {
    "brackets": (_brackets, _brackets_original),
    "prometheus": (_prometheus, _prometheus_original),
    "offsetbias": (_offsetbias, _offsetbias_original),
    "atla": (_atla, _atla_original),
}


def _con_j(reply: str) -> str | None:
    """The number after (or else before) "better answer": in JSON first, then anywhere."""
    text = reply.replace("\n", " ").strip()
    fenced = re.findall(r"```json(.*?)```", text)
    for candidate in [*fenced, text, *re.findall(r"{.*?}", text)]:
        found = _json_object(candidate)
        if BETTER in found:
            value = str(found[BETTER])
            return DIGITS.get(value, value)
    for key in CON_J_KEYS:
        for pattern in (
            rf'"{key}"\s*:\s*.*?([12１２])',
            rf"{key}.*?([12１２])",
            rf"([12１２]).*?{key}",
        ):
            if match := re.search(pattern, text):
                return DIGITS.get(match[1], match[1])
    return None


def _json_object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}


def pair_score(winner: str | None, chosen: str) -> float:
    """1 if the chosen answer's letter won, 0 if the other did, 0.5 without a verdict."""
    if winner not in ("A", "B"):
        return 0.5
    return float(winner == chosen)


def four_way_score(winner: str | None, chosen: str) -> float:
    """1 if the chosen answer's letter won, 0 if another did, 0.25 without a verdict."""
    if winner not in ("A", "B", "C", "D"):
        return 0.25
    return float(winner == chosen)


def majority(votes: Sequence[str | None]) -> str | None:
    """The verdict of most judges; None where the first place is shared (PoLL drew by hash)."""
    first = Counter(vote for vote in votes if vote is not None).most_common(2)
    if not first or (len(first) == 2 and first[0][1] == first[1][1]):
        return None
    return first[0][0]


def rating(reply: str, compat: Compat = None) -> float | None:
    """The rating from 1 to 10 at the end of a reply, or None.

    A rating may be a decimal, stand in markup, end in a full stop, or be said ``out of 10``. The
    original takes the last whole number alone: ``7/10`` is 10 there, ``3.5`` is 5 and ``7.`` none.
    """
    text = reply.strip()
    if compat:
        found = re.search(r"\b([1-9]|10)\b\s*$", text)
        return float(found[1]) if found else None
    scale = r"(?:\s*(?:/|out of)\s*10)?"
    found = re.search(rf"(?<![\w.,/-])(\d+(?:\.\d+)?){scale}[\s.!*_)\]\"']*$", text)
    if found is None or not 1 <= float(found[1]) <= 10:
        return None
    return float(found[1])


def pair_from_ratings(first: float | None, second: float | None) -> str | None:
    """``A`` or ``B``, whichever was rated higher; None for equal or missing ratings."""
    if first is None or second is None or first == second:
        return None
    return "A" if first > second else "B"


def best_rated(ratings: Sequence[float | None]) -> list[int]:
    """The places of the highest rating; empty where nothing was rated."""
    known = [r for r in ratings if r is not None]
    return [i for i, r in enumerate(ratings) if known and r == max(known)]


def ratings_score(ratings: Sequence[float | None]) -> float:
    """Credit of the first answer: 1 over the best rated if it is one of them; 0.25 if none."""
    winners = best_rated(ratings)
    if not winners:
        return 0.25
    return (0 in winners) / len(winners)
