"""Overlap of words between an answer and a reference (SQuAD)."""

from __future__ import annotations

import re
from collections import Counter

from olmeda.artifacts.examples import Instance
from olmeda.evals.registries import Mark, scorer
from olmeda.evals.scorers.normalize import normalize_answer

_NAME_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_a-zA-Z]+")


def token_overlap(pred: list[str], ref: list[str]) -> float:
    """F1 of two bags of tokens; 0 where none is in common, also where both are empty."""
    common = (Counter(pred) & Counter(ref)).total()
    if not common:
        return 0.0
    p, r = common / len(pred), common / len(ref)
    return 2 * p * r / (p + r)


def token_f1(pred: str, ref: str) -> float:
    """F1 of the words of two texts in SQuAD's normal form."""
    return token_overlap(normalize_answer(pred).split(), normalize_answer(ref).split())


def name_parts(name: str) -> list[str]:
    """The words of an identifier or heading, in lower case: ``getSub_set`` -> get, sub, set."""
    return [part.lower() for part in _NAME_PARTS.findall(name)]


@scorer("token_f1")
def mark_token_f1(answer: str, instance: Instance) -> list[Mark]:
    """F1 of the answer's words and those of the expected output (SQuAD normalisation)."""
    return [Mark("token_f1", token_f1(answer, instance.output), "metric", "token_f1")]


@scorer("name_f1")
def mark_name_f1(answer: str, instance: Instance) -> list[Mark]:
    """F1 of the words that make up two names, split at underscores and capitals."""
    value = token_overlap(name_parts(answer), name_parts(instance.output))
    return [Mark("name_f1", value, "metric", "name_f1")]
