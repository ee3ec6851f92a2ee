"""The ids of a token set as one stream, of all its documents or of some, laid end to end.

Shapes: ``B`` rows, ``T`` tokens of each, ``D`` documents, ``R`` runs (stretches of a file whose
documents all belong to the stream), ``S`` stretches of documents.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np
import polars as pl

from olmeda.artifacts.tokenset import TokenSet
from olmeda.base.errors import ArtifactError


class Stretches(NamedTuple):
    """Parts of documents in rows, row after row and in order in each."""

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
    """The ids of ``tokenset`` by their place in the stream, read from memory maps.

    ``chosen``: the numbers of its documents (rows of ``TokenSet.documents``), ascending; all if
    absent. Memory: 8 bytes a document once ``begins_D`` is asked for, and a few for each run.
    """

    def __init__(self, tokenset: TokenSet, chosen: np.ndarray | None = None) -> None:
        self.tokenset, self.chosen = tokenset, chosen
        # plain views: slicing a memmap costs ten times as much as slicing an array
        self._ids = [np.asarray(tokenset.ids(s)) for s in tokenset.index.shards]
        if chosen is None:
            lengths_R = np.array([s.tokens for s in tokenset.index.shards], np.int64)
            self._shard_R = np.arange(len(lengths_R))
            self._start_R = np.zeros(len(lengths_R), np.int64)
        else:
            self._shard_R, self._start_R, lengths_R = self._chosen_runs()
        self._begins_R = np.append(0, np.cumsum(lengths_R))

    @property
    def tokens(self) -> int:
        """How long the stream is."""
        return int(self._begins_R[-1])

    def rows(self, starts_B: np.ndarray, length: int) -> np.ndarray:
        """``length`` ids from each place of ``starts_B``, int64 ``[B, length]``."""
        out = np.empty((len(starts_B), length), np.int64)
        runs = np.searchsorted(self._begins_R, starts_B, "right") - 1
        for row, start, run in zip(out, starts_B.tolist(), runs.tolist()):
            self._copy(row, start, run)
        return out

    def copy(self, out_T: np.ndarray, start: int) -> None:
        """Fill ``out_T`` with the ids from place ``start`` on.

        Raises ArtifactError for an id that the tokenizer does not have.
        """
        self._copy(out_T, start, int(np.searchsorted(self._begins_R, start, "right")) - 1)

    def _copy(self, out_T: np.ndarray, start: int, run: int) -> None:
        filled, vocabulary = 0, self.tokenset.index.vocab_size
        while filled < len(out_T):
            inside = start + filled - self._begins_R[run]
            taken = min(len(out_T) - filled, self._begins_R[run + 1] - start - filled)
            begin = self._start_R[run] + inside
            part = self._ids[self._shard_R[run]][begin : begin + taken]
            if taken and part.max() >= vocabulary:
                at = int(np.argmax(part >= vocabulary))
                raise self._no_such_id(int(self._shard_R[run]), int(begin) + at, int(part[at]))
            out_T[filled : filled + taken] = part
            filled += int(taken)
            run += 1

    def _no_such_id(self, shard: int, place: int, found: int) -> ArtifactError:
        name = self.tokenset.index.shards[shard].name
        return ArtifactError(
            f"{self.tokenset.path}/shards/{name}.bin: token {place} is id {found}, but its "
            f"tokenizer has {self.tokenset.index.vocab_size} ids; the file is damaged or was made "
            "with another tokenizer: encode the text again"
        )

    def _chosen_runs(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        shard_P, start_P, end_P, _ = self._pieces
        new_P = np.ones(len(shard_P), bool)
        new_P[1:] = (shard_P[1:] != shard_P[:-1]) | (start_P[1:] != end_P[:-1])
        first_R = np.flatnonzero(new_P)
        lengths_R = np.add.reduceat(end_P - start_P, first_R) if len(first_R) else np.empty(0, int)
        return shard_P[first_R], start_P[first_R], lengths_R

    @property
    def _pieces(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Shard, start and end of every piece of the stream's documents; whether it is a first."""
        pieces = self.tokenset.pieces
        rank = {s.name: n for n, s in enumerate(self.tokenset.index.shards)}
        shard_P = pieces["shard"].replace_strict(rank, return_dtype=pl.Int64).to_numpy()
        start_P, end_P = pieces["start"].to_numpy(), pieces["end"].to_numpy()
        first_P = pieces["piece"].to_numpy() == 0
        if self.chosen is None:
            return shard_P, start_P, end_P, first_P
        wanted_D = np.zeros(int(first_P.sum()), bool)
        wanted_D[self.chosen] = True
        kept_P = wanted_D[np.cumsum(first_P) - 1]
        return shard_P[kept_P], start_P[kept_P], end_P[kept_P], first_P[kept_P]

    @functools.cached_property
    def begins_D(self) -> np.ndarray:
        """Where each document begins in the stream, and after the last one where it ends."""
        shard_P, start_P, end_P, first_P = self._pieces
        ends = np.cumsum(end_P - start_P)
        if self.chosen is None:
            lie = self._begins_R[shard_P] + start_P
            if not np.array_equal(np.append(0, ends), np.append(lie, self.tokens)):
                raise ArtifactError(
                    f"{self.tokenset.path}/documents.parquet: its documents do not fill the files "
                    "of ids one after the other; encode the text again"
                )
        return np.append((ends - (end_P - start_P))[first_P], self.tokens)

    def number_of(self, nth_S: np.ndarray) -> np.ndarray:
        """The numbers in ``TokenSet.documents`` of the stream's documents ``nth_S``."""
        return nth_S if self.chosen is None else self.chosen[nth_S]

    def place_of(self, document: int) -> int | None:
        """Which of the stream's documents number ``document`` of the set is; None: not one."""
        if self.chosen is None:
            return document
        found = int(np.searchsorted(self.chosen, document))
        inside = found < len(self.chosen) and self.chosen[found] == document
        return found if inside else None

    def stretches(self, starts_B: np.ndarray, length: int) -> Stretches:
        """Whose tokens the rows from ``starts_B`` hold, each of ``length``."""
        begins_D = self.begins_D
        first_B = np.searchsorted(begins_D, starts_B, "right") - 1
        count_B = np.searchsorted(begins_D, starts_B + length, "left") - first_B
        row_S = np.repeat(np.arange(len(starts_B)), count_B)
        nth_S = first_B[row_S] + np.arange(len(row_S))
        nth_S -= np.repeat(np.cumsum(count_B) - count_B, count_B)
        start_S = starts_B[row_S]
        begin_S = np.maximum(begins_D[nth_S], start_S)
        end_S = np.minimum(begins_D[nth_S + 1], start_S + length)
        from_S = begin_S - begins_D[nth_S]
        return Stretches(row_S, begin_S - start_S, end_S - start_S, self.number_of(nth_S), from_S)
