"""A passage of prose against itself with two neighbouring sentences swapped."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from olmeda.artifacts.corpus import Document
from olmeda.instruct.python_code import is_python
from olmeda.reward.makers.continuations import continuations
from olmeda.reward.pairs import Pair, Passage


def text_shuffle(document: Document, draws: Random) -> Iterator[Passage]:
    """How a text goes on, with at least two sentences in their order, or out of it.

    Both answers have the same words, so neither length nor vocabulary tells them apart.
    """
    if is_python(document):
        return
    for number, (prompt, sentences) in enumerate(continuations(document.text)):
        if len(sentences) > 1:
            yield str(number), _alternatives(prompt, sentences, draws)


def _alternatives(prompt: str, sentences: list[str], draws: Random) -> Iterator[Pair]:
    places = list(range(len(sentences) - 1))
    draws.shuffle(places)
    for place in places:
        swapped = list(sentences)
        swapped[place], swapped[place + 1] = swapped[place + 1], swapped[place]
        details = {"mutation": "swapped_sentences"}
        yield Pair(prompt, " ".join(sentences), " ".join(swapped), details)
