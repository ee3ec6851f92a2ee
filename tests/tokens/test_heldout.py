"""Held-out windows score every token of the chosen documents exactly once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from olmeda.artifacts.tokenset import TokenSet
from olmeda.tokens.encode import EncodeConfig, encode
from olmeda.tokens.heldout import IGNORED, choose_documents, heldout_bytes, heldout_windows
from olmeda.tokens.loader import TokenLoader


@pytest.fixture(scope="module")
def opened(tokenset: Path) -> TokenSet:
    return TokenSet.open(tokenset)


@pytest.mark.parametrize("sequence", [16, 100])
@pytest.mark.parametrize("batch", [1, 7])
def test_every_token_is_scored_once(opened: TokenSet, sequence: int, batch: int) -> None:
    scored: dict[str, list[int]] = {s: [] for s in opened.sources}
    for ids_BT, labels_BT, source in heldout_windows(opened, sequence, 10**9, batch):
        assert ids_BT.shape == labels_BT.shape
        assert ids_BT.shape[0] <= batch
        scored[source] += labels_BT[labels_BT != IGNORED].tolist()
    for source, labels in scored.items():
        held = [opened.ids(s) for s in opened.index.shards if s.source == source]
        assert sorted(labels) == sorted(np.concatenate(held).tolist())


def test_label_is_the_next_input(opened: TokenSet) -> None:
    for ids_BT, labels_BT, _ in heldout_windows(opened, 32, 2000):
        inside = labels_BT[:, :-1] != IGNORED
        follows = ids_BT[:, 1:] == labels_BT[:, :-1]
        last = np.argwhere(inside & ~follows)
        assert len(last) <= 1  # where the padding of a source's last window begins


def test_bytes_belong_to_the_scored_documents(opened: TokenSet) -> None:
    for source, size in heldout_bytes(opened, 3000).items():
        chosen = choose_documents(opened, source, 3000)
        assert size == chosen["bytes"].sum()
        labels = [
            (y != IGNORED).sum() for _, y, s in heldout_windows(opened, 64, 3000) if s == source
        ]
        assert sum(labels) == (chosen["end"] - chosen["start"]).sum()


def test_budget_keeps_whole_documents_and_at_least_one(opened: TokenSet) -> None:
    assert len(choose_documents(opened, "topics", 1)) == 1
    chosen = choose_documents(opened, "topics", 5000)
    assert 0 < chosen["tokens"].sum() <= 5000
    assert len(choose_documents(opened, "topics", 10**9)) == 24


def test_documents_in_pieces_are_scored_as_whole_ones(
    opened: TokenSet, corpus: Path, tokenizer: Path, tmp_path: Path
) -> None:
    config = EncodeConfig(corpus=corpus, tokenizer=tokenizer, shard_tokens=300, checked=0)
    cut = TokenSet.open(encode(config, tmp_path / "cut"))
    assert (cut.documents["count"] > 1).any()
    assert heldout_bytes(cut, 5000) == heldout_bytes(opened, 5000)
    windows = zip(heldout_windows(cut, 64, 5000), heldout_windows(opened, 64, 5000), strict=True)
    for (ids, labels, source), (wanted_ids, wanted_labels, wanted_source) in windows:
        assert np.array_equal(ids, wanted_ids)
        assert np.array_equal(labels, wanted_labels)
        assert source == wanted_source
    one, other = (TokenLoader(held, 64, seed=2) for held in (cut, opened))
    assert np.array_equal(one.read(68, 4).ids_BT, other.read(68, 4).ids_BT)
