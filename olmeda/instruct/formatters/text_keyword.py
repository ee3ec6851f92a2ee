"""Passages and the word they repeat most."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from olmeda.artifacts.corpus import Document
from olmeda.instruct.prose import passages
from olmeda.instruct.registries import Item, formatter

_WORD = re.compile(r"[^\W\d_]{4,}")


@formatter("text_keyword")
def text_keyword(document: Document, *, least: int = 80, most: int = 300) -> Iterator[Item]:
    """Passages of ``least`` to ``most`` characters that repeat a word: ``passage``, ``keyword``.

    A task for prose without headings. Exact by rule (see ``keyword_of``).
    """
    for number, run in enumerate(passages(document.text, least, most)):
        passage = " ".join(run)
        if keyword := keyword_of(passage):
            yield Item(str(number), {"passage": passage, "keyword": keyword})


def keyword_of(passage: str) -> str | None:
    """The word of four letters or more that occurs most often, in lower case; None unless exactly
    one word leads with two mentions or more.
    """
    words: list[str] = _WORD.findall(passage)
    counts = Counter(word.lower() for word in words).most_common(2)
    if not counts or counts[0][1] < 2 or (len(counts) > 1 and counts[1][1] == counts[0][1]):
        return None
    return counts[0][0]
