from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from olmeda.routing.measures import (
    choice_chance,
    coactivation,
    coactivation_chance,
    domain_share,
    evenness,
    load_share,
    saturation,
    visits,
)
from olmeda.routing.vocabulary import mean_interval, shuffled, vocabulary


def random_choices(tokens: int, layers: int, chosen: int, experts: int, seed: int) -> np.ndarray:
    """K different experts of E for each token and layer, in random rank order."""
    keys = np.random.default_rng(seed).random((tokens, layers, experts))
    return keys.argsort(-1)[..., :chosen].astype(np.int16)


SIZES = st.tuples(st.integers(1, 40), st.integers(1, 3), st.integers(1, 4), st.integers(4, 7))


@given(SIZES, st.integers(0, 9))
def test_shares_sum_to_what_they_must(size: tuple[int, int, int, int], seed: int) -> None:
    tokens, layers, chosen, experts = size
    choices = random_choices(*size, seed)
    assert load_share(choices, experts).sum(1) == pytest.approx(np.ones(layers))
    assert visits(choices, experts).sum() == tokens * layers * chosen
    sources = np.arange(tokens) % 2
    held = domain_share(choices, sources, 3, experts)
    assert held[0].sum(1) == pytest.approx(np.full(layers, chosen))
    assert not held[2].any()


@given(SIZES, st.integers(0, 9))
def test_coactivation_equals_counting_every_pair_by_hand(
    size: tuple[int, int, int, int], seed: int
) -> None:
    _, layers, chosen, experts = size
    choices = random_choices(*size, seed)
    found = coactivation(choices, experts)
    for layer in range(layers):
        pairs: Counter[tuple[int, int]] = Counter()
        alone: Counter[int] = Counter()
        for row in choices[:, layer].tolist():
            alone.update(row)
            pairs.update(itertools.permutations(row, 2))
        for i, j in itertools.product(range(experts), repeat=2):
            expected = pairs[i, j] / alone[i] if alone[i] else 0.0
            assert found[layer, i, j] == pytest.approx(expected)
    rows = found.sum(2)[visits(choices, experts) > 0]
    assert rows == pytest.approx(np.full(len(rows), chosen - 1))


def test_neighbours_in_rank_miss_pairs_that_are_further_apart() -> None:
    one_token = np.array([[[0, 1, 2]]])
    assert coactivation(one_token, 3)[0, 0].tolist() == [0, 1, 1]
    assert coactivation(one_token, 3, adjacent_ranks_only=True)[0, 0].tolist() == [0, 1, 0]


def test_random_routing_lies_on_the_chance_lines() -> None:
    choices = random_choices(20_000, 1, 2, 8, 1)
    other = random_choices(20_000, 1, 2, 8, 2)
    off = ~np.eye(8, dtype=bool)
    assert load_share(choices, 8) == pytest.approx(np.full((1, 8), 1 / 8), abs=0.01)
    assert coactivation(choices, 8)[0][off] == pytest.approx(
        np.full(56, coactivation_chance(8, 2)), abs=0.02
    )
    assert saturation(other, choices) == pytest.approx([choice_chance(8, 2)], abs=0.01)


def test_saturation_ignores_rank_and_is_one_with_itself() -> None:
    choices = random_choices(50, 2, 3, 6, 3)
    assert saturation(choices[..., ::-1], choices).tolist() == [1, 1]
    assert saturation(np.array([[[0, 1]]]), np.array([[[1, 5]]])).tolist() == [0.5]


def test_evenness_is_one_for_equal_load_and_zero_for_one_expert() -> None:
    assert evenness(np.array([[0.25] * 4, [1, 0, 0, 0]])) == pytest.approx([1, 0])
    assert evenness(np.array([[1.0]])).tolist() == [1]


def test_rare_ids_do_not_enter_vocabulary_specialisation() -> None:
    ids = np.array([7] * 10 + [9] * 3)
    choices = np.array([0] * 8 + [1] * 2 + [2] * 3)[:, None, None]
    found = vocabulary(choices, ids, 4, least=5)
    assert found.ids_X.tolist() == [7]
    assert found.counts_X.tolist() == [10]
    assert found.favourite_LX.tolist() == [[0]]
    assert found.mean_L.tolist() == [0.8]
    assert vocabulary(choices, ids, 4, least=100).mean_L.tolist() == [0]


def test_the_shuffled_chance_line_keeps_load_and_is_above_a_flat_one() -> None:
    choices = random_choices(600, 1, 1, 8, 4)
    ids = np.arange(600) % 30
    dealt = shuffled(choices, 5)
    assert visits(dealt, 8).tolist() == visits(choices, 8).tolist()
    assert vocabulary(dealt, ids, 8).mean_L[0] > choice_chance(8, 1)
    assert np.array_equal(shuffled(choices, 5), dealt)


def test_ids_that_are_not_known_do_not_count() -> None:
    ids = np.array([3, 3, -1, -1, -1])
    choices = np.array([0, 0, 1, 1, 1])[:, None, None]
    assert vocabulary(choices, ids, 2, least=2).ids_X.tolist() == [3]


def test_the_interval_of_vocabulary_holds_the_mean_and_has_no_width_where_ids_never_stray() -> None:
    ids = np.arange(400) % 4
    document = np.arange(400) // 40
    loyal = (ids % 2)[:, None, None]
    held = vocabulary(loyal, ids, 2)
    assert mean_interval(loyal, ids, document, held, 50, 0.95, 0) == ([1.0], [1.0])
    loose = random_choices(400, 1, 1, 2, 8)
    held = vocabulary(loose, ids, 2)
    low, high = mean_interval(loose, ids, document, held, 200, 0.95, 0)
    assert low[0] < held.mean_L[0] < high[0]
