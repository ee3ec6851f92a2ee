from __future__ import annotations

import pytest

from olmeda.reward.judge import (
    Style,
    four_way_score,
    four_way_verdict,
    majority,
    pair_score,
    rating,
    ratings_score,
    verdict,
)


@pytest.mark.parametrize(
    ("reply", "style", "expected"),
    [
        ("[[A]] is worse, so [[B]]", "brackets", None),
        ("[[B]], yes [[B]]", "brackets", "B"),
        ("Feedback [RESULT] A ", "prometheus", "A"),
        ("[RESULT] A. On reflection: [RESULT] B.", "prometheus", "B"),
        ("Output (b) is better than Output (a)", "offsetbias", None),
        ("Output (b)", "offsetbias", "B"),
        ("**Result:** Response A", "atla", "A"),
        ("**Result:** [B]", "atla", "B"),
        ("**Result:** Both", "atla", None),
        ("", "brackets", None),
        ("", "prometheus", None),
    ],
)
def test_reply_is_read_in_its_style(reply: str, style: Style, expected: str | None) -> None:
    assert verdict(reply, style) == expected


def test_two_letters_are_no_four_way_verdict() -> None:
    assert four_way_verdict("[[C]]") == "C"
    assert four_way_verdict("[[C]] or [[D]]") is None
    assert four_way_verdict("[[C]] or [[D]]", compat="rewardbench") == "C"


@pytest.mark.parametrize(
    ("reply", "expected"),
    [("7/10", 7), ("I rate 5 out of 10", 5), ("3.5", 3.5), ("**8**", 8), ("Rating: 7.", 7),
     ("[[9]]", 9), ("-4", None), ("11", None), ("x7", None), ("0", None), ("2 stars", None),
     ("10", 10), ("", None)],
)  # fmt: skip
def test_rating_is_what_the_reply_says(reply: str, expected: float | None) -> None:
    assert rating(reply) == expected


def test_no_verdict_is_worth_a_guess() -> None:
    assert [pair_score(w, "A") for w in ("A", "B", "C", None)] == [1.0, 0.0, 0.5, 0.5]
    assert [four_way_score(w, "A") for w in ("A", "B", "E", None)] == [1.0, 0.0, 0.25, 0.25]
    assert ratings_score([None, None]) == 0.25


def test_split_vote_is_no_verdict() -> None:
    assert majority(["A", "B", "A"]) == "A"
    assert majority(["A", "B", None]) is None
    assert majority([None, None]) is None
