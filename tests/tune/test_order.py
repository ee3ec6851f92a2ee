from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from olmeda.tune.order import ShuffledRows, grouped_by_length

LENGTHS = st.lists(st.integers(1, 40), min_size=1, max_size=60).map(np.array)


def batches(lengths: np.ndarray, seed: int = 1, batch: int = 100, micro: int = 64) -> ShuffledRows:
    return ShuffledRows(lengths, lengths, batch, micro, seed, "", collate=lambda rows: list(rows))  # type: ignore[arg-type,return-value]


@given(LENGTHS, st.integers(0, 2**40))
def test_every_row_comes_once_an_epoch(lengths: np.ndarray, seed: int) -> None:
    data = batches(lengths, seed)
    steps = int(data.steps_per_epoch)
    for epoch in range(2):
        drawn = [data.rows_of(epoch * steps + part) for part in range(steps)]
        assert all(len(rows) for rows in drawn)
        assert sorted(np.concatenate(drawn)) == list(range(len(lengths)))


@given(LENGTHS)
def test_micro_batches_split_a_step_and_fit_once_padded(lengths: np.ndarray) -> None:
    data = batches(lengths)
    groups: list[list[int]] = data.at(0)  # type: ignore[assignment]
    assert Counter(row for g in groups for row in g) == Counter(data.rows_of(0).tolist())
    for group in groups:
        assert len(group) == 1 or len(group) * lengths[group].max() <= 64
        assert lengths[group].min() >= 0.75 * lengths[group].max()


def test_epochs_are_shuffled_differently_and_alike_for_equal_seeds() -> None:
    lengths = np.full(50, 10)
    first, second = (batches(lengths).rows_of(step).tolist() for step in (0, 5))
    assert first != second
    assert batches(lengths).rows_of(0).tolist() == first
    assert batches(lengths, seed=2).rows_of(0).tolist() != first


def test_rows_of_like_length_stand_together() -> None:
    lengths = np.array([4, 30, 5, 28, 4, 29, 3])
    assert grouped_by_length(np.arange(7), lengths, 90) == [[1, 5, 3], [2, 0, 4], [6]]


@pytest.mark.parametrize("rows", [1, 7])
def test_a_batch_larger_than_the_data_is_one_step_an_epoch(rows: int) -> None:
    assert batches(np.full(rows, 3), batch=10_000).steps_per_epoch == 1
