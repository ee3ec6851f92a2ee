"""Instances that repeat themselves are found, and only those."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from olmeda.tokens.heldout import IGNORED
from olmeda.tokens.repeats import RepeatRule


def row(period: int, times: int, length: int = 700, at: int = 120, more: int = 0) -> np.ndarray:
    """No token like another, but for ``times`` of an n-gram, and ``more`` tokens of the next."""
    label_T = np.arange(1000, 1000 + length)
    label_T[at : at + period * times + more] = np.resize(np.arange(period), period * times + more)
    return label_T


@pytest.mark.parametrize("period", [1, 2, 5, 13])
@pytest.mark.parametrize("at", [0, 1, 100, 283])
def test_thirty_two_times_is_too_often_and_less_is_not(period: int, at: int) -> None:
    often, rare = row(period, 32, at=at), row(period, 31, at=at, more=period - 1)
    assert RepeatRule().breaks(np.stack([rare, often, rare])).tolist() == [False, True, False]


def test_longer_n_grams_are_let_be() -> None:
    assert not RepeatRule().breaks(row(14, 40)[None]).any()
    assert RepeatRule(longest=14).breaks(row(14, 40)[None]).all()


def test_padding_is_no_repetition_and_ends_one() -> None:
    label_T = np.full(700, IGNORED)
    assert not RepeatRule().breaks(label_T[None]).any()
    label_T[:31] = 7
    label_T[40:71] = 7
    assert not RepeatRule().breaks(label_T[None]).any()


def counted(label_T: list[int], longest: int, times: int) -> bool:
    """The rule as it is told, slowly."""
    return any(
        label_T[at : at + n] * times == label_T[at : at + n * times]
        for n in range(1, longest + 1)
        for at in range(len(label_T) - n * times + 1)
    )


@settings(max_examples=300, deadline=None)
@given(st.lists(st.integers(0, 2), min_size=1, max_size=40), st.integers(1, 4), st.integers(2, 5))
def test_it_finds_what_counting_finds(label_T: list[int], longest: int, times: int) -> None:
    found = RepeatRule(longest=longest, times=times).breaks(np.array([label_T]))
    assert found.tolist() == [counted(label_T, longest, times)]
