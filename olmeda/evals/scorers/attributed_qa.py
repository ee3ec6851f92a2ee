"""Answers to questions with the evidence they rest on (qasper)."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from olmeda.evals.pairs import Compat, Failure, Pair, Unscorable, kind_of
from olmeda.evals.scorers.f1 import fraction
from olmeda.evals.scorers.normalize import flatten
from olmeda.evals.scorers.token_f1 import token_f1

TALLIES = ("answer", "evidence", "answer_entry_is_str")


class AttributedQA(NamedTuple):
    """Mean token F1 of answers and of evidence: ``_all`` over all instances, ``_parsed`` over those
    that hold the field (NaN where there are none). ``answers``: each answer as text, None if none.
    """

    scores: dict[str, float]
    answer_parse: dict[str, dict[str, float]]
    answers: list[str | None]
    failures: list[Failure]


def attributed_qa(pairs: Sequence[Pair], compat: Compat | None = None) -> AttributedQA:
    """Token F1 over a task of ``{"answer": ..., "evidence": [...]}``.

    A missing answer or evidence scores 0. Lists are joined, an object as answer is taken as text; a
    number or truth value as answer is a failure. A string as evidence is one passage; compat reads
    its characters.
    """
    tallies: Counter[str] = Counter()
    failures: list[Failure] = []
    answers: list[str | None] = []
    values: dict[str, list[float]] = {"answer": [], "evidence": []}
    for index, pair in enumerate(pairs):
        held = pair.pred if isinstance(pair.pred, dict) else {}
        said = {"answer": held.get("answer"), "evidence": held.get("evidence")}
        if isinstance(said["answer"], (str, list, dict)):
            is_text = isinstance(said["answer"], str)
            tallies[f"answer_entry_is_str {'yes' if is_text else 'no'}"] += 1
        truth = {"answer": pair.ref["answer"], "evidence": " ".join(pair.ref["evidence"])}
        texts: dict[str, str | None] = {}
        for part, value in said.items():
            try:
                texts[part] = _text(part, value, compat)
            except Unscorable as problem:
                failures.append(Failure(index, f"{part}: {problem}"))
                texts[part] = None
            text = texts[part]
            tallies[f"{part} {'no' if text is None else 'yes'}"] += 1
            if text is not None:
                values[part].append(token_f1(text, truth[part]))
        answers.append(texts["answer"])
    scores = {
        f"f1_{part}_{over}": _mean(found, len(found) if over == "parsed" else len(pairs))
        for part, found in values.items()
        for over in ("parsed", "all")
    }
    return AttributedQA(scores, _parse_table(tallies), answers, failures)


def _text(part: str, value: Any, compat: Compat | None) -> str | None:
    """The field as text; None where it is missing. Raises Unscorable for other shapes."""
    if value is None:
        return None
    if part == "answer":
        if isinstance(value, list):
            return " ".join(str(entry) for entry in flatten(value))
        if isinstance(value, (str, dict)):
            return str(value)
        raise Unscorable(f"expected text, found {kind_of(value)}")
    entries = flatten(value, compat)
    if wrong := [entry for entry in entries if not isinstance(entry, str)]:
        raise Unscorable(f"expected passages, found {kind_of(wrong[0])}")
    return " ".join(entries)


def _mean(values: Sequence[float], whole: int) -> float:
    return math.fsum(values) / whole if whole else math.nan


def _parse_table(tallies: Counter[str]) -> dict[str, dict[str, float]]:
    counts = {part: (tallies[f"{part} yes"], tallies[f"{part} no"]) for part in TALLIES}
    return {
        part: {"yes": yes, "no": no, "frac_success": fraction(yes, yes + no)}
        for part, (yes, no) in counts.items()
    }
