"""All ids of a token set as one stream: its files laid end to end, and whose tokens lie where.

Shapes: ``B`` rows, ``T`` tokens of each, ``D`` documents, ``S`` stretches of documents.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np

from olmeda.artifacts.tokenset import TokenSet
from olmeda.base.errors import ArtifactError


class Stretches(NamedTuple):
    """Parts of documents in rows of a stream, row after row and in order in each."""

    row_S: np.ndarray
    """The row, from 0."""
    begin_S: np.ndarray
    end_S: np.ndarray
    """Where in the row."""
    document_S: np.ndarray
    """The document's number in ``TokenSet.documents``."""
    from_S: np.ndarray
    """Which token of the document comes first."""


class TokenStream:
    """The ids of ``tokenset`` by their place in the stream, read from memory maps."""

    def __init__(self, tokenset: TokenSet) -> None:
        self.tokenset = tokenset
        shards = tokenset.index.shards
        self._ids = [tokenset.ids(s) for s in shards]
        self._begins = np.cumsum([0, *(s.tokens for s in shards)], dtype=np.int64)

    def rows(self, starts_B: np.ndarray, length: int) -> np.ndarray:
        """``length`` ids from each place of ``starts_B``, int64 ``[B, length]``.

        Raises ArtifactError for an id that the tokenizer does not have.
        """
        out = np.empty((len(starts_B), length), np.int64)
        shards = np.searchsorted(self._begins, starts_B, "right") - 1
        for row, start, shard in zip(out, starts_B.tolist(), shards.tolist()):
            self._fill(row, start, shard)
        if out.size and out.max() >= self.tokenset.index.vocab_size:
            row, at = np.argwhere(out >= self.tokenset.index.vocab_size)[0]
            raise self._no_such_id(int(starts_B[row] + at), int(out[row, at]))
        return out

    def _fill(self, out_T: np.ndarray, start: int, shard: int) -> None:
        filled = 0
        while filled < len(out_T):
            inside = start + filled - self._begins[shard]
            part = self._ids[shard][inside : inside + len(out_T) - filled]
            out_T[filled : filled + len(part)] = part
            filled += len(part)
            shard += 1

    def _no_such_id(self, place: int, found: int) -> ArtifactError:
        shard = int(np.searchsorted(self._begins, place, "right")) - 1
        name = self.tokenset.index.shards[shard].name
        return ArtifactError(
            f"{self.tokenset.path}/shards/{name}.bin: token {place - self._begins[shard]} is id "
            f"{found}, but its tokenizer has {self.tokenset.index.vocab_size} ids; the file is "
            "damaged or was made with another tokenizer: encode the text again"
        )

    @functools.cached_property
    def begins_D(self) -> np.ndarray:
        """Where each document begins in the stream, and after the last one where it ends."""
        pieces = self.tokenset.pieces
        rank = {s.name: n for n, s in enumerate(self.tokenset.index.shards)}
        shard = pieces["shard"].replace_strict(rank, return_dtype=int).to_numpy()
        begins = self._begins[shard] + pieces["start"].to_numpy()
        ends = self._begins[shard] + pieces["end"].to_numpy()
        if not np.array_equal(np.append(0, ends), np.append(begins, self._begins[-1])):
            raise ArtifactError(
                f"{self.tokenset.path}/documents.parquet: its documents do not fill the files of "
                "ids one after the other; encode the text again"
            )
        return np.append(begins[pieces["piece"].to_numpy() == 0], self._begins[-1])

    def stretches(self, starts_B: np.ndarray, length: int) -> Stretches:
        """Whose tokens the rows from ``starts_B`` hold, each of ``length``."""
        begins_D = self.begins_D
        first_B = np.searchsorted(begins_D, starts_B, "right") - 1
        count_B = np.searchsorted(begins_D, starts_B + length, "left") - first_B
        row_S = np.repeat(np.arange(len(starts_B)), count_B)
        nth_S = np.arange(len(row_S)) - np.repeat(np.cumsum(count_B) - count_B, count_B)
        document_S = first_B[row_S] + nth_S
        start_S = starts_B[row_S]
        begin_S = np.maximum(begins_D[document_S], start_S)
        end_S = np.minimum(begins_D[document_S + 1], start_S + length)
        from_S = begin_S - begins_D[document_S]
        return Stretches(row_S, begin_S - start_S, end_S - start_S, document_S, from_S)
