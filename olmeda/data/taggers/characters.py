"""Plain counts: bytes, characters, lines, pretokens, and shares of kinds of characters."""

from __future__ import annotations

import numpy as np

from olmeda.data.batch import TextBatch
from olmeda.data.columns import Column
from olmeda.data.kernels.counts import count_kinds
from olmeda.data.registries import tagger


@tagger("characters")
def characters(texts: TextBatch) -> dict[str, Column]:
    """Sizes of the text, and how much of it is non-ASCII, alphanumeric, and white space.

    ``pretokens`` counts matches of ``\\w+|[^\\w\\s]+``, near the number of tokens of a usual
    tokenizer. Fractions are of characters; line lengths are in characters.
    """
    kinds = count_kinds(texts.utf8, texts.classes, texts.offsets)
    some = np.maximum(texts.characters, 1)
    lines = np.diff(texts.lines.of)
    return {
        "bytes": texts.bytes.astype(np.float64),
        "characters": texts.characters.astype(np.float64),
        "lines": lines.astype(np.float64),
        "pretokens": kinds[:, 3].astype(np.float64),
        "non_ascii_fraction": kinds[:, 0] / some,
        "alphanumeric_fraction": kinds[:, 1] / some,
        "white_space_fraction": kinds[:, 2] / some,
        "longest_line": _largest(texts.lines.characters, texts.lines.of),
        "mean_line": np.add.reduceat(texts.lines.characters, texts.lines.of[:-1]) / lines,
    }


def _largest(values: np.ndarray, of: np.ndarray) -> np.ndarray:
    """The largest value of each text; every text has a line."""
    return np.maximum.reduceat(values, of[:-1]).astype(np.float64)


def pretokens(texts: TextBatch) -> np.ndarray:
    """The pretokens of each text alone, int64 [D]."""
    return count_kinds(texts.utf8, texts.classes, texts.offsets)[:, 3]
