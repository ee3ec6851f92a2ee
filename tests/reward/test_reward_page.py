"""The example on the page of this room works as printed."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from olmeda.artifacts.examples import Message
from olmeda.reward.registries import Request, Scored, reward_scorer

PAGE = Path(__file__).parents[2] / "docs" / "reward.md"


@reward_scorer("polite")
def polite(requests: Sequence[Request], *, word: str = "please") -> Scored:
    """Count a word."""
    return Scored(np.array([float(r.answer.count(word)) for r in requests]))


def test_example_of_the_page_is_this_one() -> None:
    assert inspect.getsource(polite) in PAGE.read_text()


def test_example_scores() -> None:
    asked = [Request((Message("user", "?"),), text) for text in ("please, please", "no")]
    assert polite(asked).values.tolist() == [2.0, 0.0]
