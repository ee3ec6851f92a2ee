"""Copies of whole documents, by the 128-bit xxh3 of their text."""

from __future__ import annotations

from collections.abc import Iterable

import xxhash

from olmeda.artifacts.corpus import Document


class FirstCopies:
    """The first document of each text; about 200 bytes of memory a distinct text."""

    def __init__(self) -> None:
        self._first: dict[bytes, str] = {}

    def of(self, document: Document) -> str | None:
        """The id of the first document with this text, or None if this one is it."""
        digest = xxhash.xxh3_128_digest(document.text.encode("utf-8", "surrogatepass"))
        first = self._first.setdefault(digest, document.id)
        return None if first == document.id else first

    def of_all(self, documents: Iterable[Document], skip_empty: bool) -> list[str | None]:
        """``of`` for each document; with ``skip_empty`` blank texts are never copies."""
        return [None if skip_empty and not d.text.strip() else self.of(d) for d in documents]
