"""Pairs of answers before they are trios, and drawing them so that length tells nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from random import Random
from typing import Any, TypeVar

import msgspec

from olmeda.artifacts.corpus import Document

Item = TypeVar("Item")
PROMPT_CHARACTERS = 300
ANSWER_CHARACTERS = 300
"""Longest prompt and answer: what a small model can read at once."""


class Pair(msgspec.Struct, frozen=True):
    """A prompt with a better and a worse answer; ``metadata`` says how the worse one came about."""

    prompt: str
    chosen: str
    rejected: str
    metadata: dict[str, Any] = {}

    @property
    def longer(self) -> int:
        """1 if the chosen answer is longer in characters, -1 if shorter, 0 if equal."""
        difference = len(self.chosen) - len(self.rejected)
        return (difference > 0) - (difference < 0)

    @property
    def fits(self) -> bool:
        """Whether prompt and answers are within the limits and the answers differ."""
        longest = max(len(self.chosen), len(self.rejected))
        short = len(self.prompt) <= PROMPT_CHARACTERS and longest <= ANSWER_CHARACTERS
        return short and self.chosen != self.rejected


Passage = tuple[str, Iterator[Pair]]
"""A part of a document and the pairs that can be made of it, of which at most one is used."""
Maker = Callable[[Document, Random], Iterator[Passage]]
"""``maker(document, draws)``: the passages of a document; nothing where it does not apply."""


class Balance:
    """Choose among alternatives so that as many chosen answers are longer as are shorter."""

    def __init__(self) -> None:
        self.surplus = 0

    def choose(self, alternatives: Iterable[Pair], tries: int = 12) -> Pair | None:
        """The first of ``tries`` fitting pairs that does not tilt the balance further, if any."""
        tried = 0
        for pair in alternatives:
            if not pair.fits:
                continue
            if pair.longer * self.surplus <= 0:
                self.surplus += pair.longer
                return pair
            tried += 1
            if tried == tries:
                break
        return None


def interleaved(items: Sequence[Item], kinds: Sequence[str], draws: Random) -> list[Item]:
    """``items`` in random order, but one of each kind in turn: no kind crowds out the others."""
    order = list(range(len(items)))
    draws.shuffle(order)
    rank = {kind: i for i, kind in enumerate(dict.fromkeys(kinds[i] for i in order))}
    times: Counter[str] = Counter()
    turns = {}
    for i in order:
        turns[i] = (times[kinds[i]], rank[kinds[i]])
        times[kinds[i]] += 1
    return [items[i] for i in sorted(order, key=turns.__getitem__)]


def limited(text: str, characters: int) -> str:
    """``text`` on one line, cut at a word boundary to at most ``characters``."""
    line = " ".join(text.split())
    if len(line) <= characters:
        return line
    cut = line[: characters + 1].rpartition(" ")[0]
    return cut or line[:characters]
