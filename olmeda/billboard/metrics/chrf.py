"""chrF and chrF++ of single sentences, as sacrebleu computes them."""

from __future__ import annotations

from sacrebleu.metrics.chrf import CHRF

from olmeda.billboard.registries import metric, uses


@metric("chrf")
@uses("sacrebleu")
def chrf(
    hypotheses: list[str],
    references: list[list[str]],
    *,
    word_order: int = 0,
    char_order: int = 6,
) -> list[float]:
    """Character n-gram F-score, 0 to 100 (Popović 2015); ``word_order=2`` is chrF++."""
    scorer = CHRF(word_order=word_order, char_order=char_order)
    return [scorer.sentence_score(h, r).score for h, r in zip(hypotheses, references, strict=True)]
