"""ROUGE of pairs of texts, by Google's rouge-score, without its bootstrap."""

from __future__ import annotations

import math
from collections.abc import Sequence

from olmeda.artifacts.examples import Instance
from olmeda.evals.registries import Mark, scorer

TYPES = ("rouge1", "rouge2", "rougeL", "rougeLsum")


def rouge(predictions: Sequence[str], references: Sequence[str]) -> dict[str, list[float]]:
    """F-measures of each pair for every type, unstemmed."""
    from rouge_score.rouge_scorer import RougeScorer

    measure = RougeScorer(list(TYPES), use_stemmer=False)
    found = [measure.score(r, p) for p, r in zip(predictions, references, strict=True)]
    return {name: [float(pair[name].fmeasure) for pair in found] for name in TYPES}


def mean_rouge(predictions: Sequence[str], references: Sequence[str]) -> dict[str, float]:
    """The mean over pairs; 0 of none.

    ``evaluate`` gives the middle of a bootstrap instead, which changes from run to run.
    """
    pairs = rouge(predictions, references)
    return {n: math.fsum(v) / len(v) if v else 0.0 for n, v in pairs.items()}


@scorer("rouge_l")
def mark_rouge_l(answer: str, instance: Instance) -> list[Mark]:
    """ROUGE-L of the answer against ``metadata.reference``, else against the expected output."""
    reference = str(instance.metadata.get("reference", instance.output))
    return [Mark("rouge_l", rouge([answer], [reference])["rougeL"][0], "metric", "rouge_l")]
