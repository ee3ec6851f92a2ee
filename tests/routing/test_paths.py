from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import pytest

from olmeda.routing.paths import (
    independent,
    information_interval,
    shared_information,
    transitions,
)
from routing.test_measures import random_choices


def test_transitions_equal_counting_every_pair_by_hand() -> None:
    choices = random_choices(60, 3, 2, 5, 1)
    found = transitions(choices, 5, 0, 2)
    pairs: Counter[tuple[int, int]] = Counter()
    alone: Counter[int] = Counter()
    for token in choices.tolist():
        alone.update(token[0])
        pairs.update(itertools.product(token[0], token[2]))
    for i, j in itertools.product(range(5), repeat=2):
        assert found[i, j] == pytest.approx(pairs[i, j] / alone[i])
    assert found.sum(1) == pytest.approx(np.full(5, 2))


def test_pairs_of_equal_rank_miss_the_other_paths() -> None:
    one_token = np.array([[[0, 1], [2, 3]]])
    assert transitions(one_token, 4, 0, 1)[0].tolist() == [0, 0, 1, 1]
    assert transitions(one_token, 4, 0, 1, equal_ranks_only=True)[0].tolist() == [0, 0, 1, 0]


def test_layers_that_know_nothing_of_each_other_lie_on_the_chance_line() -> None:
    choices = random_choices(40_000, 2, 2, 8, 3)
    found, chance = transitions(choices, 8, 0, 1), independent(choices, 8, 1)
    assert found == pytest.approx(np.tile(chance, (8, 1)), abs=0.03)
    assert shared_information(choices, 8, 0, 1) < 0.01


def test_a_layer_that_follows_another_shares_all_its_bits() -> None:
    choices = np.repeat(np.arange(64)[:, None, None] % 8, 2, axis=1)
    assert shared_information(choices, 8, 0, 1) == pytest.approx(3)


def test_the_interval_of_the_bits_stands_around_them_and_narrows_with_documents() -> None:
    widths = []
    for documents in (20, 200):
        rng = np.random.default_rng(documents)
        first = rng.integers(0, 4, documents * 50)
        second = np.where(rng.random(len(first)) < 0.5, first, rng.integers(0, 4, len(first)))
        choices = np.stack([first, second], 1)[:, :, None]
        held = shared_information(choices, 4, 0, 1)
        document = np.arange(len(first)) // 50
        low, high = information_interval(choices, document, 4, (0, 1), 200, 0.95, 1)
        assert low < held < high
        widths.append(float(high - low))
    assert widths[1] < widths[0] / 2
