"""Cutting stretches out of a text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Cut:
    """A stretch ``[start, end)`` in code points, why it goes, and what comes in its place."""

    start: int
    end: int
    reason: str
    replacement: str = ""


def merged(cuts: Sequence[Cut]) -> list[Cut]:
    """Disjoint cuts in order of place that cover what ``cuts`` cover.

    Overlapping ones become one, with the reason and replacement of the first by place (then by
    order given). Empty stretches vanish; neighbours that only touch stay two.
    """
    found: list[Cut] = []
    for cut in sorted(cuts, key=lambda c: c.start):
        if cut.start >= cut.end:
            continue
        if found and cut.start < found[-1].end:
            last = found.pop()
            cut = Cut(last.start, max(last.end, cut.end), last.reason, last.replacement)
        found.append(cut)
    return found


def without(text: str, cuts: Sequence[Cut]) -> str:
    """``text`` with disjoint, ordered ``cuts`` replaced."""
    pieces, at = [], 0
    for cut in cuts:
        pieces += [text[at : cut.start], cut.replacement]
        at = cut.end
    return "".join([*pieces, text[at:]])
