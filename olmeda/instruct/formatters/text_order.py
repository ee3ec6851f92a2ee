"""Two sentences that follow each other, in their order or swapped."""

from __future__ import annotations

from collections.abc import Iterator

from olmeda.artifacts.corpus import Document
from olmeda.base.files import digest_bytes
from olmeda.instruct.prose import paragraphs, sentences
from olmeda.instruct.registries import Item, formatter


@formatter("text_order")
def text_order(document: Document, *, most: int = 170) -> Iterator[Item]:
    """Pairs of neighbouring sentences: fields ``first``, ``second`` and ``answer`` (yes, no).

    Sentences are at most ``most`` characters and no pair shares a sentence. Whether a pair is
    swapped hangs on the text of its sentences alone, so about half are.
    """
    number = 0
    for paragraph in paragraphs(document.text):
        parts = sentences(paragraph)
        for one, two in zip(parts[::2], parts[1::2]):
            if one != two and len(one) <= most and len(two) <= most and len(one.split()) > 2:
                swapped = int(digest_bytes(f"{one}\n{two}".encode()), 16) % 2 == 1
                first, second = (two, one) if swapped else (one, two)
                answer = "no" if swapped else "yes"
                yield Item(str(number), {"first": first, "second": second, "answer": answer})
                number += 1
