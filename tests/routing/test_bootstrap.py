from __future__ import annotations

import numpy as np
import pytest

from olmeda.routing.bootstrap import LinearisedRatio, ratio_interval


def test_interval_holds_the_ratio_and_shrinks_with_documents() -> None:
    generator = np.random.default_rng(1)
    widths = []
    for documents in (20, 2000):
        below = generator.integers(5, 50, documents)
        above = generator.binomial(below, 0.3)
        low, high = ratio_interval(above, below, 400, 0.95, 2)
        assert low < above.sum() / below.sum() < high
        widths.append(float(high - low))
    assert widths[1] < widths[0] / 5


def test_every_figure_has_an_interval_of_its_own_and_seeds_repeat() -> None:
    above = np.arange(24).reshape(4, 2, 3)
    first = ratio_interval(above, np.full(4, 30), 50, 0.9, 7)
    again = ratio_interval(above, np.full(4, 30), 50, 0.9, 7)
    assert first[0].shape == (2, 3)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))


def test_one_document_has_no_spread() -> None:
    low, high = ratio_interval(np.array([[3.0]]), np.array([4]), 20, 0.95, 0)
    assert low == high == pytest.approx([0.75])


def test_the_linearised_interval_agrees_with_the_bootstrap_and_covers() -> None:
    generator = np.random.default_rng(4)
    covered = 0
    for _ in range(200):
        below = generator.integers(20, 200, size=60)
        above = generator.binomial(below, generator.beta(6, 14, size=60))
        ratio = LinearisedRatio()
        for a, b in zip(above, below, strict=True):
            ratio.add(np.array(a), np.array(b))
        held, low, high = ratio.interval(0.95)
        covered += bool(low <= 0.3 <= high)
    assert 0.9 <= covered / 200 <= 0.985
    drawn = ratio_interval(above, below, 2000, 0.95, 0)
    assert held == pytest.approx(above.sum() / below.sum())
    assert (low, high) == pytest.approx((float(drawn[0]), float(drawn[1])), abs=0.01)


def test_nothing_below_gives_a_share_of_nothing() -> None:
    ratio = LinearisedRatio()
    ratio.add(np.zeros((2, 2)), np.array([[0], [5]]))
    held, low, high = ratio.interval(0.95)
    assert held.tolist() == low.tolist() == high.tolist() == [[0, 0], [0, 0]]
