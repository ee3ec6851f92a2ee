"""The keyed permutation is a permutation, and a shuffled one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from olmeda.tokens.order import BLOCK, ordered, permuted, round_keys, unpermuted


@settings(max_examples=100, deadline=None)
@given(n=st.integers(1, 3000), seed=st.integers(0), epoch=st.integers(0, 1000))
def test_every_number_comes_exactly_once(n: int, seed: int, epoch: int) -> None:
    found = permuted(np.arange(n), n, round_keys(seed, epoch))
    assert np.array_equal(np.sort(found), np.arange(n))


@given(n=st.integers(2, 10**15), seed=st.integers(0, 2**63))
def test_a_position_alone_gives_what_it_gives_among_others(n: int, seed: int) -> None:
    keys = round_keys(seed)
    places = np.unique(np.array([0, n // 3, n // 2, n - 1]))
    together = permuted(places, n, keys)
    alone = [permuted(places[i : i + 1], n, keys)[0] for i in range(len(places))]
    assert together.tolist() == alone
    assert together.max() < n


def test_seed_and_epoch_change_the_order() -> None:
    orders = [permuted(np.arange(500), 500, round_keys(*k)) for k in ((1, 0), (1, 1), (2, 0))]
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert (orders[one] == orders[other]).mean() < 0.02


@pytest.mark.parametrize("n", [64, 1000, 4097])
def test_order_is_uncorrelated_with_position(n: int) -> None:
    correlations = [
        np.corrcoef(np.arange(n), permuted(np.arange(n), n, round_keys(seed)))[0, 1]
        for seed in range(200)
    ]
    # the standard deviation of a random permutation's correlation is 1/sqrt(n-1)
    assert abs(np.mean(correlations)) < 4 / np.sqrt(200 * (n - 1))
    assert np.std(correlations) == pytest.approx(1 / np.sqrt(n - 1), rel=0.2)


def test_order_is_the_same_on_every_machine() -> None:
    assert permuted(np.arange(8), 10, round_keys(17, 0)).tolist() == [6, 2, 7, 3, 8, 1, 4, 5]


@settings(max_examples=100, deadline=None)
@given(n=st.integers(1, 10**15), seed=st.integers(0), epoch=st.integers(0, 1000))
def test_the_way_back_ends_where_the_way_forth_began(n: int, seed: int, epoch: int) -> None:
    keys = round_keys(seed, epoch)
    places = np.unique(np.linspace(0, n - 1, 50).astype(np.int64))
    assert np.array_equal(unpermuted(permuted(places, n, keys), n, keys), places)
    assert np.array_equal(permuted(unpermuted(places, n, keys), n, keys), places)


@settings(max_examples=30, deadline=None)
@given(n=st.integers(1, 5 * BLOCK), seed=st.integers(0), data=st.data())
def test_positions_asked_for_in_any_order_are_where_the_permutation_sends_them(
    n: int, seed: int, data: st.DataObject
) -> None:
    asked = np.array(data.draw(st.lists(st.integers(0, n - 1), max_size=50)), np.int64)
    assert np.array_equal(ordered(asked, n, seed, 3), permuted(asked, n, round_keys(seed, 3)))
