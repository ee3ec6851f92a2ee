"""BLEU of single sentences, as sacrebleu computes it."""

from __future__ import annotations

from typing import Literal

from sacrebleu.metrics.bleu import BLEU

from olmeda.billboard.registries import metric, uses


@metric("bleu")
@uses("sacrebleu")
def bleu(
    hypotheses: list[str],
    references: list[list[str]],
    *,
    tokenize: Literal["13a", "char", "intl", "none", "zh"] = "13a",
    smooth: Literal["exp", "floor", "add-k", "none"] = "exp",
) -> list[float]:
    """Sentence BLEU, 0 to 100, with effective order (Papineni et al. 2002; Post 2018).

    Equals ``sacrebleu.sentence_bleu`` at the defaults.
    """
    scorer = BLEU(tokenize=tokenize, smooth_method=smooth, effective_order=True)
    return [scorer.sentence_score(h, r).score for h, r in zip(hypotheses, references, strict=True)]
