"""BLEU of a corpus, as the ``evaluate`` package gives it."""

from __future__ import annotations

import functools
import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

ORDER = 4
"""The longest n-gram (Papineni et al. 2002)."""


class Bleu(NamedTuple):
    """BLEU in 0..1 with its parts."""

    bleu: float
    precisions: list[float]
    brevity_penalty: float
    length_ratio: float
    translation_length: int
    reference_length: int


def bleu(predictions: Sequence[str], references: Sequence[str]) -> Bleu:
    """Corpus BLEU with the 13a tokenizer, order 4, no smoothing; 0 where a length is 0."""
    tokenize = _tokenizer()
    matches, possible = [0] * ORDER, [0] * ORDER
    pred_length = ref_length = 0
    for prediction, reference in zip(predictions, references, strict=True):
        pred, ref = tokenize(prediction).split(), tokenize(reference).split()
        pred_length, ref_length = pred_length + len(pred), ref_length + len(ref)
        for n in range(1, ORDER + 1):
            matches[n - 1] += (_ngrams(pred, n) & _ngrams(ref, n)).total()
            possible[n - 1] += max(len(pred) - n + 1, 0)
    precisions = [m / p if p else 0.0 for m, p in zip(matches, possible)]
    ratio = pred_length / ref_length if ref_length else 0.0
    penalty = 1.0 if ratio > 1 else math.exp(1 - 1 / ratio) if ratio else 0.0
    mean = math.exp(sum(map(math.log, precisions)) / ORDER) if min(precisions) > 0 else 0.0
    return Bleu(mean * penalty, precisions, penalty, ratio, pred_length, ref_length)


def _ngrams(tokens: Sequence[str], n: int) -> Counter[tuple[str, ...]]:
    return Counter(zip(*(tokens[i:] for i in range(n))))


@functools.cache
def _tokenizer() -> Callable[[str], str]:
    from sacrebleu.tokenizers.tokenizer_13a import Tokenizer13a

    tokenizer: Callable[[str], str] = Tokenizer13a()
    return tokenizer
