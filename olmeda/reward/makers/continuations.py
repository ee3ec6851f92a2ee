"""Prose as prompts and how they go on."""

from __future__ import annotations

from collections.abc import Iterator

from olmeda.instruct.prose import passages
from olmeda.reward.pairs import ANSWER_CHARACTERS, PROMPT_CHARACTERS

ASK = "Continue the text."
LEAST_CHARACTERS = 60


def continuations(text: str) -> Iterator[tuple[str, list[str]]]:
    """``(prompt, sentences)``: a passage to continue, and the sentences of the one that follows."""
    before = ""
    for sentences in passages(text, LEAST_CHARACTERS, ANSWER_CHARACTERS):
        if before:
            yield f"{ASK}\n{before}", sentences
        before = _ending(" ".join(sentences), PROMPT_CHARACTERS - len(ASK) - 1)


def _ending(text: str, characters: int) -> str:
    """The last words of ``text``, at most ``characters`` long."""
    if len(text) <= characters:
        return text
    return text[-characters:].partition(" ")[2]
