"""Batches: every instance once an epoch, in an order that only seed and epoch decide."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from olmeda.artifacts.tokenset import TokenSet
from olmeda.base.errors import ConfigError
from olmeda.tokens.loader import TokenLoader


@pytest.fixture(scope="module")
def opened(tokenset: Path) -> TokenSet:
    return TokenSet.open(tokenset)


def stream(opened: TokenSet) -> np.ndarray:
    return np.concatenate([opened.ids(s) for s in opened.index.shards]).astype(np.int64)


def test_each_epoch_holds_every_instance_once(opened: TokenSet) -> None:
    loader = TokenLoader(opened, 64, 8, seed=3)
    steps = -(-2 * loader.instances // 8)
    drawn = np.concatenate([loader.instances_of(s) for s in range(steps)])
    for epoch in (0, 1):
        part = drawn[epoch * loader.instances : (epoch + 1) * loader.instances]
        assert np.array_equal(np.sort(part), np.arange(loader.instances))
    assert not np.array_equal(drawn[: loader.instances], part)


def test_batch_is_the_named_stretch_of_the_stream(opened: TokenSet) -> None:
    loader, whole = TokenLoader(opened, 50, 4, seed=9), stream(opened)
    for step in (0, 7, 1000):
        rows = loader.batch(step)
        assert rows.shape == (4, 51)
        assert rows.dtype == np.int64
        for row, number in zip(rows, loader.instances_of(step)):
            assert np.array_equal(row, whole[number * 50 : number * 50 + 51])


def test_every_token_but_the_first_is_predicted_once(opened: TokenSet) -> None:
    loader, whole = TokenLoader(opened, 32, 1, seed=0), stream(opened)
    targets = [loader.stream.rows(np.array([n * 32]), 33)[0, 1:] for n in range(loader.instances)]
    assert np.array_equal(np.concatenate(targets), whole[1 : loader.instances * 32 + 1])


def test_batch_size_does_not_change_the_order(opened: TokenSet) -> None:
    one, four = TokenLoader(opened, 64, 1, seed=5), TokenLoader(opened, 64, 4, seed=5)
    singles = np.concatenate([one.batch(s) for s in range(40)])
    assert np.array_equal(singles, np.concatenate([four.batch(s) for s in range(10)]))


def test_steps_can_be_read_in_any_order(opened: TokenSet) -> None:
    forth = [TokenLoader(opened, 64, 4, seed=5).batch(s) for s in range(6)]
    loader = TokenLoader(opened, 64, 4, seed=5)
    back = [loader.batch(s) for s in reversed(range(6))]
    assert all(np.array_equal(a, b) for a, b in zip(forth, reversed(back)))


def test_digest_names_seed_and_sequence(opened: TokenSet) -> None:
    digests = {TokenLoader(opened, t, 4, s).order_digest for t in (32, 64) for s in (0, 1)}
    assert len(digests) == 4
    assert TokenLoader(opened, 32, 8, 0).order_digest in digests


def test_epoch_counts_passes_over_the_instances(opened: TokenSet) -> None:
    loader = TokenLoader(opened, 64, 4, seed=5)
    assert loader.epoch_of(0) == 0
    assert loader.epoch_of(loader.instances) == 4


def test_too_little_text_says_what_to_do(opened: TokenSet) -> None:
    with pytest.raises(ConfigError, match="shorter sequence"):
        TokenLoader(opened, opened.tokens, 4, seed=5)


@settings(max_examples=30, deadline=None)
@given(
    sequence=st.integers(100, 3000),
    size=st.integers(1, 9),
    seed=st.integers(0, 2**63),
    epoch=st.integers(0, 4),
)
def test_any_epoch_of_any_loader_predicts_every_token_once(
    opened: TokenSet, sequence: int, size: int, seed: int, epoch: int
) -> None:
    loader = TokenLoader(opened, sequence, size, seed)
    first = epoch * loader.instances
    steps = range(first // size, -(-(first + loader.instances) // size))
    drawn = np.concatenate([loader.instances_of(s) for s in steps])[first % size :]
    assert np.array_equal(np.sort(drawn[: loader.instances]), np.arange(loader.instances))
    left_over = opened.tokens - 1 - loader.instances * sequence
    assert 0 <= left_over < sequence
