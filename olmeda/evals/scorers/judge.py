"""What a judging model replied: a rating, or which of two texts is better."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Literal, NamedTuple

from olmeda.evals.pairs import Compat

_RATING = re.compile(r"Rating:\s*(\d+)")
MIDDLE = 3
ERROR = "error"
Comparison = Literal["reference_comparison", "model_comparison"]


def parse_rating(reply: str, compat: Compat | None = None) -> int | None:
    """The first ``Rating: n`` with n from 1 to 5; None where there is none (compat: 3)."""
    found = _RATING.search(reply)
    if found and found[1] in ("1", "2", "3", "4", "5"):
        return int(found[1])
    if found and compat and int(found[1]) in range(1, 6):  # "03", to which \d+ says yes
        return int(found[1])
    return MIDDLE if compat else None


class Decision(NamedTuple):
    """A judge's decision: 0..1 against a reference; win, lose or tie against another model's text.

    ``error`` where the reply says nothing that can be read; then there is no explanation.
    """

    decision: float | str
    explanation: str | None = None


def parse_decision(
    reply: str, comparison: Comparison, pred_first: bool = True, compat: Compat | None = None
) -> Decision:
    """What follows the first ``Decision:`` (else ``Rating:``), which must be the whole rest.

    Against a reference: 1 to 5, scaled to 0..1. Against a model: 1, 2 or tie, where ``pred_first``
    says which of the two is ours; the explanation then names the texts instead of numbering them
    (compat calls "Summary 2", with a space, by the name of the first).
    """
    word = next((w for w in ("Decision", "Rating") if f"{w}:" in reply), None)
    if word is None:
        return Decision(ERROR)
    said = reply.partition(f"{word}:")[2].strip()
    explanation = reply.partition(word)[0].replace("Explanation:", "").strip()
    if comparison == "reference_comparison":
        if said in ("1", "2", "3", "4", "5"):
            return Decision((int(said) - 1) / 4, explanation)
        return Decision(ERROR)
    if said not in ("1", "2", "tie"):
        return Decision(ERROR)
    named = _named(explanation, pred_first, compat)
    if said == "tie":
        return Decision("tie", named)
    return Decision("win" if (said == "1") == pred_first else "lose", named)


def _named(explanation: str, pred_first: bool, compat: Compat | None) -> str:
    ours, other = "prediction summary", "baseline summary"
    first, second = (ours, other) if pred_first else (other, ours)
    last = first if compat else second
    names = {"Summary1": first, "Summary 1": first, "Summary2": second, "Summary 2": last}
    for number, name in names.items():
        explanation = explanation.replace(number, name)
    return explanation


def mean_decision(decisions: Sequence[Decision], compat: Compat | None = None) -> tuple[float, int]:
    """``(mean, number)`` of decisions against a reference, errors left out; 0 of none.

    compat leaves out the lowest rating too: its 0.0 is taken for no answer.
    """
    values = [d.decision for d in decisions if isinstance(d.decision, float)]
    if compat:
        values = [v for v in values if v]
    return (math.fsum(values) / len(values) if values else 0.0), len(values)
