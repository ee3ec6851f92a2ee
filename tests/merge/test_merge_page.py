"""The example on the page of this room works as printed."""

from __future__ import annotations

import inspect
from pathlib import Path

import numpy as np

from olmeda.merge.registries import merge_method

PAGE = Path(__file__).parents[2] / "docs" / "merge.md"


@merge_method("largest")
def largest(deltas: list[np.ndarray], *, weights: list[float]) -> np.ndarray:
    """Keep at each entry the weighted difference that is largest in magnitude."""
    weighted = np.stack([d * w for d, w in zip(deltas, weights)])
    return np.take_along_axis(weighted, np.abs(weighted).argmax(0)[None], 0)[0]


def test_example_of_the_page_is_this_one() -> None:
    assert inspect.getsource(largest) in PAGE.read_text()


def test_example_merges() -> None:
    merged = largest([np.array([1.0, -3.0]), np.array([-2.0, 2.0])], weights=[1.0, 1.0])
    assert merged.tolist() == [-2.0, -3.0]
