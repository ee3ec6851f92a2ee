"""Characters that repeat at once: ``ababababab``, ``----------``, the same line four times."""

from __future__ import annotations

import numpy as np

from olmeda.data.batch import TextBatch
from olmeda.data.columns import Column, SpanColumn
from olmeda.data.kernels.repeats import chain_grams, find_repeats
from olmeda.data.registries import tagger


@tagger("repetition")
def repetition(texts: TextBatch) -> dict[str, Column]:
    """Stretches that are four or more copies of one unit, and how much of the text they are.

    The rule is Dolma's ``repetitions_v1``: a unit within a line, at most one white-space character
    between copies. ``repetition`` spans carry the number of copies.
    """
    lines = texts.lines
    longest = int((lines.end - lines.start).max(initial=0))
    following = chain_grams(texts.utf8, texts.offsets, longest)
    spans, counts = find_repeats(texts.utf8, texts.classes, texts.offsets, following)
    of = np.concatenate([[0], np.cumsum(counts)])
    start, end, copies = (spans[:, i].copy() for i in range(3))
    length = end - start
    covered = np.concatenate([[0], np.cumsum(length)])
    return {
        "repetition": SpanColumn(of, start, end, copies.astype(np.float64)),
        "doc_max_score_repetition": _largest(copies, of),
        "doc_max_length_repetition": _largest(length, of),
        "doc_frac_repetition": (covered[of[1:]] - covered[of[:-1]])
        / np.maximum(texts.characters, 1),
    }


def _largest(values: np.ndarray, of: np.ndarray) -> np.ndarray:
    """The largest value of each text, 0 where it has none."""
    found = np.zeros(of.size - 1)
    some = of[:-1] < of[1:]
    if some.any():
        found[some] = np.maximum.reduceat(values, of[:-1][some])
    return found
