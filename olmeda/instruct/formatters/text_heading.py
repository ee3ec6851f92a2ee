"""Passages and the headings above them."""

from __future__ import annotations

from collections.abc import Iterator

from olmeda.artifacts.corpus import Document
from olmeda.instruct.prose import sections, sentences
from olmeda.instruct.registries import Item, formatter


@formatter("text_heading")
def text_heading(
    document: Document, *, least: int = 60, most: int = 300, longest: int = 60
) -> Iterator[Item]:
    """Sections of a text: fields ``passage`` (its first sentences) and ``heading``.

    Passages have ``least`` to ``most`` characters, headings 3 to ``longest``.
    """
    for number, section in enumerate(sections(document.text)):
        passage = opening(section.body, most)
        if len(passage) >= least and 3 <= len(section.heading) <= longest:
            yield Item(str(number), {"passage": passage, "heading": section.heading})


def opening(body: list[str], most: int) -> str:
    """The whole sentences at the start of ``body`` that fit into ``most`` characters."""
    kept = ""
    for paragraph in body:
        for sentence in sentences(paragraph):
            longer = f"{kept} {sentence}".strip()
            if len(longer) > most:
                return kept
            kept = longer
    return kept
