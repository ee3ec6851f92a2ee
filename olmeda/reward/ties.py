"""RewardBench 2's Ties: several answers are right, and none of them should stand out.

Rows come in two kinds: ``ref:<n>`` has one right answer, ``tied:<n>`` several for a like prompt.
A row's gap is its worst right minus its best wrong score; a tied row's spread is the range of its
right scores.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import msgspec
import numpy as np

Compat = Literal["rewardbench-0.1.4"] | None
ACCURACY, BEYOND_SPREAD, MARGIN = 0.30, 0.20, 0.01
"""Weights of each accuracy, each gap-over-spread share, and the mean squashed margin."""


class TiesRow(msgspec.Struct, frozen=True):
    """One prompt: ``scores`` of its answers, the ``num_correct`` right ones first."""

    id: str
    scores: list[float]
    num_correct: int


class TiesScore(msgspec.Struct, frozen=True):
    """The score (-0.01 to 1.01, NaN where a kind of row is absent) and the rows that failed."""

    score: float
    failures: list[str]


class _Row(msgspec.Struct, frozen=True):
    gap: float
    spread: float


def ties_score(rows: Sequence[TiesRow], compat: Compat = None) -> TiesScore:
    """The Ties score of one model.

    A row that cannot be measured (no wrong answer, or a tied row with a single right one) fails
    in every term and is named. ``compat: rewardbench-0.1.4`` follows the released wheel: a spread
    of 0 gives no margin, an absent kind counts 0, and one unmeasurable row makes the score NaN.
    """
    measured: dict[tuple[str, str], _Row] = {}
    failures = []
    for row in rows:
        kind, _, number = row.id.partition(":")
        measured[kind, number] = _measure(row, kind)
        if fault := _fault(row, kind):
            failures.append(f"{row.id}: {fault}")
    ref = {n: r for (kind, n), r in measured.items() if kind == "ref"}
    tied = {n: r for (kind, n), r in measured.items() if kind == "tied"}
    pairs = [(ref[n], tied[n]) for n in ref if n in tied]
    if compat is None:
        sound = [r for r in tied.values() if not math.isnan(r.spread)]
        accurate = sum(r.gap > 0 for r in sound) / len(tied) if tied else math.nan
        parts = [accurate, _mean([r.gap > 0 for r in ref.values()])]
        margins = [_margin(a, b) for a, b in pairs]
    else:
        parts = [_mean([r.gap > 0 for r in g.values()]) for g in (tied, ref)]
        margins = [0.0 if b.spread == 0 else _margin(a, b, keep_nan=True) for a, b in pairs]
    parts += [
        _mean([b.gap > b.spread for _, b in pairs]),
        _mean([min(a.gap, b.gap) > b.spread for a, b in pairs]),
        _mean(margins),
    ]
    if compat is not None:
        parts = [0.0 if math.isnan(p) and not pairs else p for p in parts]
    weights = [ACCURACY, ACCURACY, BEYOND_SPREAD, BEYOND_SPREAD, MARGIN]
    return TiesScore(sum(w * p for w, p in zip(weights, parts, strict=True)), failures)


def _measure(row: TiesRow, kind: str) -> _Row:
    good, bad = row.scores[: row.num_correct], row.scores[row.num_correct :]
    gap = min(good) - max(bad) if good and bad else math.nan
    several = kind == "tied" and len(good) > 1
    return _Row(gap, max(good) - min(good) if several else math.nan)


def _fault(row: TiesRow, kind: str) -> str:
    if kind not in ("ref", "tied"):
        return "an id is ref:<n> or tied:<n>"
    if not 0 < row.num_correct < len(row.scores):
        return f"{row.num_correct} right of {len(row.scores)} answers; there must be both kinds"
    if kind == "tied" and row.num_correct == 1:
        return "a tied row with one right answer has no spread"
    return ""


def _margin(ref: _Row, tied: _Row, keep_nan: bool = False) -> float:
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.float64(min(ref.gap, tied.gap)) / np.float64(tied.spread)
    squashed = float(np.tanh(ratio - 1))
    return squashed if keep_nan or not math.isnan(squashed) else 0.0


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else math.nan
