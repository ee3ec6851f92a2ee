"""The line and page rules of C4 (Raffel et al. 2020, section 2.2), as Dolma's c4_v2 has them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from olmeda.base.errors import ConfigError
from olmeda.data.batch import Segments, TextBatch
from olmeda.data.columns import Column, SpanColumn
from olmeda.data.kernels.lines import check_lines, holds_phrase
from olmeda.data.registries import tagger


@tagger("c4")
def c4(
    texts: TextBatch, *, least_words: int = 3, naughty_words: Path | None = None
) -> dict[str, Column]:
    """Lines that end in no sentence mark or have few words; marks of code, filler and bad words.

    Spans take the newline with them. ``naughty_words`` is a file of words and phrases, one a
    line, for ``has_naughty_word``; without it there is no such attribute. Differs from Dolma:
    offsets are those of the text itself, not of its lower-cased copy, whose length may differ.
    """
    lines = texts.lines
    unended, short = check_lines(texts.utf8, texts.classes, lines.start, lines.end, least_words)
    found: dict[str, Column] = {
        "lines_with_no_ending_punctuation": _spans_of(lines, unended),
        "lines_with_too_few_words": _spans_of(lines, short),
        "has_javascript": _holds(texts, "javascript"),
        "has_lorem_ipsum": _holds(texts, "lorem ipsum"),
        "has_curly_brace": _holds(texts, "{"),
        "line_count": np.diff(lines.of).astype(np.float64),
    }
    if naughty_words is not None:
        found["has_naughty_word"] = _has_listed(texts, naughty_words.expanduser())
    return found


def _holds(texts: TextBatch, phrase: str) -> np.ndarray:
    """Float64 [D]: 1 where the text holds the phrase, which is lower-case ASCII."""
    wanted = np.frombuffer(phrase.encode(), np.uint8)
    return np.asarray(holds_phrase(texts.utf8, texts.offsets, wanted), np.float64)


def _spans_of(lines: Segments, chosen: np.ndarray) -> SpanColumn:
    """The chosen lines as spans in code points, each with its newline if it has one."""
    counts = np.diff(lines.of)
    is_last = np.zeros(chosen.size, bool)
    is_last[lines.of[1:] - 1] = True
    length = lines.characters + ~is_last
    running = np.concatenate([[0], np.cumsum(length)])
    begin = running[:-1] - np.repeat(running[lines.of[:-1]], counts)
    of = np.concatenate([[0], np.cumsum(chosen)])[lines.of]
    start = begin[chosen]
    return SpanColumn(of, start, start + length[chosen], np.ones(start.size))


def _has_listed(texts: TextBatch, file: Path) -> np.ndarray:
    """Float64 [D]: 1 where a listed word is a word of the text, or a listed phrase is in a line."""
    try:
        listed = [line.strip().lower() for line in file.read_text("utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as problem:
        raise ConfigError(f"tagger 'c4', naughty_words: {file}: {problem}") from None
    words = {entry for entry in listed if entry and " " not in entry}
    phrases = [entry for entry in listed if " " in entry]
    found = np.zeros(len(texts))
    for index in range(len(texts)):
        raw = texts.utf8[texts.offsets[index] : texts.offsets[index + 1]].tobytes()
        text = raw.decode("utf-8", "surrogatepass").lower()
        # a phrase holds no newline, so it is in a line if it is in the text
        found[index] = not words.isdisjoint(text.split()) or any(p in text for p in phrases)
    return found
