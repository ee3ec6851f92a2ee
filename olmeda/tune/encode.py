"""Conversations and trios as rows of ids, with the tokens a model is to learn marked.

Shapes: ``B`` rows, ``T`` tokens.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from olmeda.artifacts.examples import Conversation, Message, Trio
from olmeda.artifacts.lineage import RECORD, check
from olmeda.base.errors import InputError
from olmeda.base.files import digest_value, read_rows
from olmeda.model.loss import IGNORED
from olmeda.tokens.tokenizer import Tokenizer
from olmeda.train.rows import Rows

Row = TypeVar("Row")


@dataclass(frozen=True)
class Encoded:
    """One row: ``ids`` read by the model, ``labels[t]`` the target at t or -100; equal lengths."""

    ids: np.ndarray
    labels: np.ndarray

    @property
    def trainable(self) -> int:
        """How many targets count."""
        return int((self.labels != IGNORED).sum())


@dataclass(frozen=True)
class Dropped:
    """Rows left out, by reason."""

    too_long: int = 0
    untrainable: int = 0


def read_examples(paths: Sequence[Path], row: type[Row]) -> list[Row]:
    """All rows of examples artifacts (their ``train.jsonl``) or of plain JSONL files, in order.

    Raises InputError where there are none.
    """
    rows: list[Row] = []
    for path in paths:
        if (path / RECORD).is_file():
            check(path, "examples")
        rows += read_rows(path / "train.jsonl" if path.is_dir() else path, row)
    if not rows:
        raise InputError(f"{', '.join(map(str, paths))}: no rows to train on")
    return rows


def encode_messages(tokenizer: Tokenizer, messages: Sequence[Message]) -> Encoded:
    """One conversation; the targets are the answers' tokens, their end tokens included."""
    ids, learned = tokenizer.encode_chat(messages, generation_prompt=False)
    targets = np.append(np.asarray(ids, np.int64)[1:], IGNORED)
    counts = np.append(np.asarray(learned, bool)[1:], False)
    return Encoded(np.asarray(ids, np.int64), np.where(counts, targets, IGNORED))


def encode_conversations(
    tokenizer: Tokenizer, conversations: Iterable[Conversation], sequence: int
) -> tuple[list[Encoded], Dropped]:
    """Rows of at most ``sequence`` tokens with at least one target, and what was dropped."""
    kept: list[Encoded] = []
    too_long = untrainable = 0
    for conversation in conversations:
        row = encode_messages(tokenizer, conversation.messages)
        if len(row.ids) > sequence:
            too_long += 1
        elif row.trainable == 0:
            untrainable += 1
        else:
            kept.append(row)
    return kept, Dropped(too_long, untrainable)


def encode_trios(
    tokenizer: Tokenizer, trios: Iterable[Trio], sequence: int
) -> tuple[list[tuple[Encoded, Encoded]], Dropped]:
    """``(chosen, rejected)`` as chats, both of at most ``sequence`` tokens, and what was dropped.

    A trio whose answers are equal teaches nothing and is dropped as untrainable.
    """
    kept: list[tuple[Encoded, Encoded]] = []
    too_long = untrainable = 0
    for trio in trios:
        ask = Message("user", trio.prompt)
        chosen, rejected = (
            encode_messages(tokenizer, [ask, Message("assistant", answer)])
            for answer in (trio.chosen, trio.rejected)
        )
        if max(len(chosen.ids), len(rejected.ids)) > sequence:
            too_long += 1
        elif np.array_equal(chosen.labels, rejected.labels):
            untrainable += 1
        else:
            kept.append((chosen, rejected))
    return kept, Dropped(too_long, untrainable)


def padded(rows: Sequence[Encoded], pad: int) -> Rows:
    """Rows side by side, padded on the right to the longest."""
    length = max(len(r.ids) for r in rows)
    ids_BT = np.full((len(rows), length), pad, np.int64)
    labels_BT = np.full((len(rows), length), IGNORED, np.int64)
    for place, row in enumerate(rows):
        ids_BT[place, : len(row.ids)] = row.ids
        labels_BT[place, : len(row.ids)] = row.labels
    return Rows(
        torch.from_numpy(ids_BT),
        torch.from_numpy(labels_BT),
        sum(r.trainable for r in rows),
        sum(len(r.ids) for r in rows),
    )


def last_places(rows: Sequence[Encoded]) -> Tensor:
    """The place of each row's last token, ``[B]``."""
    return torch.tensor([len(r.ids) - 1 for r in rows])


def order_digest(rows: Iterable[Encoded], batch_tokens: int, seed: int) -> str:
    """The identity of rows and their order."""
    content = [[r.ids.tolist(), r.labels.tolist()] for r in rows]
    return digest_value([content, batch_tokens, seed])
