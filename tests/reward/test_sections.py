from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from olmeda.artifacts.examples import Message
from olmeda.reward.best_of_n import best_of_n
from olmeda.reward.dialogue import conversation
from olmeda.reward.ensemble import every_ensemble, standardised
from olmeda.reward.sections import (
    by_items,
    overall_score,
    published,
    right,
    section_scores,
    subset_means,
)
from olmeda.reward.ties import TiesRow, ties_score


def test_section_without_a_subset_is_left_out_or_zero() -> None:
    means = {"hep-go": 0.5}
    assert section_scores(means, published()) == {"Reasoning": 0.5}
    assert section_scores(means, published(), compat="rewardbench")["Chat"] == 0.0


def test_swapped_counts_change_safety_alone() -> None:
    means = {n: i / 30 for i, n in enumerate(n for s in published().values() for n in s)}
    now, before = section_scores(means, published()), section_scores(means, published(True))
    assert [s for s in now if now[s] != before[s]] == ["Safety"]


@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("xyz"), st.booleans()), min_size=1)
)
def test_sections_by_items_weigh_every_item_alike(rows: list[tuple[str, str, bool]]) -> None:
    pairs = [(section, section + subset) for section, subset, _ in rows]
    results = [float(r) for _, _, r in rows]
    scores = section_scores(subset_means([p[1] for p in pairs], results), by_items(pairs))
    for section, score in scores.items():
        held = [r for (s, _), r in zip(pairs, results) if s == section]
        assert math.isclose(score, sum(held) / len(held), abs_tol=1e-12)


def test_equal_scores_and_nan_are_wrong() -> None:
    nan = math.nan
    assert right(np.array([1, 2, nan, 3]), np.array([1, 1, 0, nan])).tolist() == [0, 1, 0, 0]
    assert best_of_n([nan, 1.0]) == 0.0
    assert best_of_n([1.0, nan]) == 1.0


def test_overall_of_nothing_is_not_a_number() -> None:
    assert math.isnan(overall_score({}))
    assert overall_score({"a": 1.0, "b": 0.0}, prior=1.0) == 1.5 / 2.5


def test_unmeasurable_ties_row_fails_with_a_reason() -> None:
    rows = [TiesRow("ref:0", [2.0, 1.0], 1), TiesRow("tied:0", [2.0, 1.0], 1)]
    found = ties_score(rows)
    assert found.score == 0.3
    assert found.failures == ["tied:0: a tied row with one right answer has no spread"]
    assert ties_score([TiesRow("ref:0", [2.0], 1)]).failures[0].startswith("ref:0: 1 right of 1")


def test_roles_of_a_prompt_are_kept_unless_asked() -> None:
    prompt = [Message("system", "s"), Message("user", "u")]
    assert [m.role for m in conversation(prompt, "a")] == ["system", "user", "assistant"]
    alternating = conversation(prompt, "a", compat="rewardbench")
    assert [m.role for m in alternating] == ["user", "assistant", "assistant"]


def test_model_that_scores_all_alike_adds_nothing() -> None:
    chosen, rejected = np.array([[1.0, 1.0], [1.0, 3.0]]), np.array([[1.0, 1.0], [0.0, 2.0]])
    assert standardised(chosen, rejected)[0][0].tolist() == [0.0, 0.0]
    found = {(m, mode): a for m, mode, a in every_ensemble(["flat", "good"], chosen, rejected)}
    assert found[("flat", "good"), "mean"] == 1.0
    assert len(found) == 3
