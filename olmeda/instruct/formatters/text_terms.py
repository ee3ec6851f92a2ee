"""Passages and the terms that stand out in them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from olmeda.artifacts.corpus import Document
from olmeda.instruct.prose import passages
from olmeda.instruct.registries import Item, formatter

_WORD = re.compile(r"[^\W_](?:[\w'’\-]|[.,](?=\d))*")


@formatter("text_terms")
def text_terms(
    document: Document, *, least: int = 80, most: int = 280, terms: int = 6
) -> Iterator[Item]:
    """Passages of prose: fields ``passage`` and ``terms`` (at most ``terms``, at least one).

    A passage has ``least`` to ``most`` characters; its terms are what ``terms_of`` finds.
    """
    for number, run in enumerate(passages(document.text, least, most)):
        found = terms_of(run)
        if 1 <= len(found) <= terms:
            yield Item(str(number), {"passage": " ".join(run), "terms": found})


def terms_of(run: list[str]) -> list[str]:
    """Words with a capital or a digit that do not open a sentence, in order, each once.

    "I" and its contractions do not count. Exact by rule, so a checker can be sure of them.
    """
    found: dict[str, None] = {}
    for sentence in run:
        for word in _WORD.findall(sentence)[1:]:
            stands_out = any(c.isupper() or c.isdigit() for c in word)
            if stands_out and word.partition("'")[0].partition("’")[0] != "I":
                found.setdefault(word)
    return list(found)
