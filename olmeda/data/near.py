"""Near-copies: how much of a text's word n-grams one document of a chosen set also has.

The index holds 64-bit hashes of the chosen documents' n-grams only, so memory grows with that side
(about 40 bytes an n-gram). Shares are exact as far as no two different n-grams have one hash; for
a million n-grams against a billion the chance of a single such pair is one in twenty thousand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xxhash

from olmeda.data.batch import TextBatch, batches
from olmeda.data.kernels.fingerprint import hash_ngrams
from olmeda.data.kernels.overlap import best_overlaps, fill_index, most_covered
from olmeda.data.kernels.table import table_size


@dataclass(frozen=True)
class NgramIndex:
    """The n-grams of some documents, by their number; and texts too short to have one."""

    n: int
    documents: int
    table: np.ndarray
    entries: np.ndarray
    postings: np.ndarray
    postings_of: np.ndarray
    whole: dict[bytes, int]

    @classmethod
    def of(cls, texts: Sequence[str], n: int) -> NgramIndex:
        """Index ``texts`` under their numbers 0, 1, … by word n-grams."""
        keys, owners, first = [], [], 0
        for batch in batches(texts):
            hashes, begins = _ngrams(batch, n)
            keys.append(hashes)
            owners.append(first + np.repeat(np.arange(len(batch)), np.diff(begins)))
            first += len(batch)
        pairs = _distinct(np.concatenate([*keys, np.empty(0, np.uint64)]),
                          np.concatenate([*owners, np.empty(0, np.int64)]))  # fmt: skip
        distinct, begins = np.unique(pairs[0], return_index=True)
        size = table_size(max(1, distinct.size))
        table, entries = np.zeros(size, np.uint64), np.full(size, -1, np.int64)
        fill_index(table, entries, distinct)
        whole = {_digest(text): number for number, text in reversed(list(enumerate(texts)))}
        return cls(n, len(texts), table, entries, pairs[1], np.append(begins, pairs[0].size), whole)

    def nearest(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """``(share, document)`` of each text: float64 in [0, 1] and the number of the nearest.

        The largest share of the text's n-grams (each place counts) that one document has. A text
        of fewer than n words has share 1 if a document is equal to it. -1 where the share is 0.
        """
        shares, documents = [np.empty(0)], [np.empty(0, np.int64)]
        for batch in batches(texts):
            hashes, begins = _ngrams(batch, self.n)
            most, nearest = best_overlaps(
                hashes, begins, self.table, self.entries, self.postings, self.postings_of,
                self.documents,
            )  # fmt: skip
            shares.append(most / np.maximum(np.diff(begins), 1))
            documents.append(nearest)
        share, document = np.concatenate(shares), np.concatenate(documents)
        for number, text in enumerate(texts):
            equal = self.whole.get(_digest(text))
            if equal is not None:
                share[number], document[number] = 1.0, equal
        return share, document

    def contained(self, texts: Sequence[str]) -> np.ndarray:
        """How much of each indexed document one of ``texts`` holds: float64 in [0, 1].

        The largest share of the document's distinct n-grams; 0 where it has none.
        """
        most = np.zeros(self.documents, np.int64)
        for batch in batches(texts):
            found = most_covered(
                *_ngrams(batch, self.n), self.table, self.entries, self.postings,
                self.postings_of, self.documents,
            )  # fmt: skip
            most = np.maximum(most, found)
        own = np.bincount(self.postings, minlength=self.documents)
        return np.asarray(most / np.maximum(own, 1))


def _ngrams(batch: TextBatch, n: int) -> tuple[np.ndarray, np.ndarray]:
    words = batch.words
    return hash_ngrams(batch.utf8, words.start, words.end, words.of, n)


def _distinct(keys: np.ndarray, owners: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each (key, owner) once, ordered by key, then owner."""
    order = np.lexsort((owners, keys))
    keys, owners = keys[order], owners[order]
    new = np.ones(keys.size, bool)
    new[1:] = (keys[1:] != keys[:-1]) | (owners[1:] != owners[:-1])
    return keys[new], owners[new]


def _digest(text: str) -> bytes:
    return xxhash.xxh3_128_digest(text.encode("utf-8", "surrogatepass"))
