from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from olmeda.artifacts.examples import Conversation, Message, Trio
from olmeda.base.errors import ArtifactError, InputError
from olmeda.tokens.tokenizer import Tokenizer
from olmeda.tune.encode import (
    Dropped,
    encode_conversations,
    encode_messages,
    encode_trios,
    last_places,
    padded,
    read_examples,
)


def test_targets_are_the_answer_and_its_end_one_place_ahead(base: Path) -> None:
    tokenizer = Tokenizer.open(base)
    row = encode_messages(tokenizer, [Message("user", "say x"), Message("assistant", "a b")])
    answer = [*tokenizer.encode("a b"), tokenizer.eos]
    assert row.labels[row.labels >= 0].tolist() == answer
    assert row.trainable == len(answer)
    places = np.flatnonzero(row.labels >= 0)
    assert row.ids[places + 1].tolist() == answer
    assert row.ids[-1] == tokenizer.eos


def test_every_dropped_row_is_counted_under_its_reason(base: Path, conversations: Path) -> None:
    rows = read_examples([conversations], Conversation)
    kept, dropped = encode_conversations(Tokenizer.open(base), rows, 48)
    assert dropped == Dropped(too_long=1, untrainable=1)
    assert len(kept) + 2 == len(rows)


def test_trios_that_tie_or_are_too_long_are_dropped(base: Path, trios: Path) -> None:
    rows = read_examples([trios], Trio)
    pairs, dropped = encode_trios(Tokenizer.open(base), rows, 48)
    assert dropped == Dropped(too_long=1, untrainable=1)
    chosen, rejected = pairs[0]
    assert chosen.trainable >= 2
    assert rejected.trainable >= 2


def test_padding_stands_to_the_right_and_counts_for_nothing(base: Path) -> None:
    tokenizer = Tokenizer.open(base)
    short, long = (
        encode_messages(tokenizer, [Message("user", "say"), Message("assistant", "x" * n)])
        for n in (1, 9)
    )
    rows = padded([short, long], tokenizer.pad)
    assert rows.tokens == len(short.ids) + len(long.ids)
    assert rows.units == short.trainable + long.trainable
    assert (rows.ids_BT[0, len(short.ids) :] == tokenizer.pad).all()
    assert (rows.labels_BT[0, len(short.ids) :] == -100).all()
    ends = rows.ids_BT[[0, 1], last_places([short, long])]
    assert ends.tolist() == [tokenizer.eos, tokenizer.eos]


def test_a_file_without_rows_and_a_corpus_are_refused(base: Path, tmp_path: Path) -> None:
    (tmp_path / "none.jsonl").touch()
    with pytest.raises(InputError, match="no rows to train on"):
        read_examples([tmp_path / "none.jsonl"], Trio)
    with pytest.raises(ArtifactError, match="found a checkpoint"):
        read_examples([base], Trio)
