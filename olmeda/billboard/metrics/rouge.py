"""ROUGE of single texts, as Google's rouge_score computes it."""

from __future__ import annotations

from typing import Literal

from rouge_score.rouge_scorer import RougeScorer

from olmeda.billboard.registries import metric, uses


@metric("rouge")
@uses("rouge-score")
def rouge(
    hypotheses: list[str],
    references: list[list[str]],
    *,
    variant: Literal["rouge1", "rouge2", "rouge3", "rougeL", "rougeLsum"] = "rougeL",
    stemmer: bool = False,
) -> list[float]:
    """ROUGE F-measure, 0 to 1, the best over the references (Lin 2004)."""
    scorer = RougeScorer([variant], use_stemmer=stemmer)
    return [
        float(scorer.score_multi(r, h)[variant].fmeasure)
        for h, r in zip(hypotheses, references, strict=True)
    ]
