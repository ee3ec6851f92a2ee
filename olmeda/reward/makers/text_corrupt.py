"""A passage of prose against itself with one word replaced by another of the same document."""

from __future__ import annotations

import re
from collections.abc import Iterator
from random import Random

from olmeda.artifacts.corpus import Document
from olmeda.instruct.python_code import is_python
from olmeda.reward.makers.continuations import continuations
from olmeda.reward.pairs import Pair, Passage

WORD = re.compile(r"\b[^\W\d_]{4,}\b")
"""Words long enough to carry meaning."""
REPLACEMENTS = 8
"""How many replacements are tried for one passage."""


def text_corrupt(document: Document, draws: Random) -> Iterator[Passage]:
    """How a text goes on, with one word that does not belong there in the worse answer."""
    if is_python(document):
        return
    known = sorted({w for w in WORD.findall(document.text) if w.islower()})
    for number, (prompt, sentences) in enumerate(continuations(document.text)):
        yield str(number), _alternatives(prompt, " ".join(sentences), known, draws)


def _alternatives(prompt: str, chosen: str, known: list[str], draws: Random) -> Iterator[Pair]:
    places = [m for m in WORD.finditer(chosen) if m[0].islower()]
    for _ in range(REPLACEMENTS if places and len(known) > 1 else 0):
        place, word = draws.choice(places), draws.choice(known)
        if word != place[0]:
            rejected = chosen[: place.start()] + word + chosen[place.end() :]
            yield Pair(prompt, chosen, rejected, {"mutation": "replaced_word"})
