"""Paragraphs without their first sentence."""

from __future__ import annotations

from collections.abc import Iterator

from olmeda.artifacts.corpus import Document
from olmeda.instruct.prose import paragraphs, sentences
from olmeda.instruct.registries import Item, formatter


@formatter("text_opening")
def text_opening(
    document: Document, *, least: int = 60, most: int = 300, longest: int = 100
) -> Iterator[Item]:
    """Paragraphs of three sentences or more: fields ``passage`` and ``opening``.

    ``opening`` is the first sentence (3 words to ``longest`` characters), the second goes to
    ``about.reference`` (a second text by the same hand about the same thing), and ``passage`` holds
    the sentences from the third on that fit into ``most`` characters, at least ``least``.
    """
    for number, paragraph in enumerate(paragraphs(document.text)):
        parts = sentences(paragraph)
        if len(parts) < 3:
            continue
        opening, reference, passage = parts[0], parts[1], ""
        for sentence in parts[2:]:
            if len(passage) + len(sentence) + 1 > most:
                break
            passage = f"{passage} {sentence}".strip()
        plain = len(opening.split()) >= 3 and len(opening) <= longest
        if plain and len(reference.split()) >= 3 and len(passage) >= least:
            about = {"about": passage, "reference": reference}
            yield Item(str(number), {"passage": passage, "opening": opening}, about)
