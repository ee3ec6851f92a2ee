"""F1 over the words that hypothesis and reference share."""

from __future__ import annotations

import re
from collections import Counter

from olmeda.billboard.registries import metric

WORD = re.compile(r"\w+")


@metric("token_f1")
def token_f1(hypotheses: list[str], references: list[list[str]]) -> list[float]:
    """Harmonic mean of word precision and recall, 0 to 1, the best over the references.

    Words are runs of letters, digits and underscores in lower case, counted with repetition.
    """
    return [
        max(_f1(h, reference) for reference in r)
        for h, r in zip(hypotheses, references, strict=True)
    ]


def _f1(hypothesis: str, reference: str) -> float:
    said = Counter(WORD.findall(hypothesis.lower()))
    wanted = Counter(WORD.findall(reference.lower()))
    if not said or not wanted:
        return float(said == wanted)
    shared = (said & wanted).total()
    return 2 * shared / (said.total() + wanted.total())
