from __future__ import annotations

import numpy as np
import pytest

from olmeda.routing.bootstrap import ratio_interval


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
