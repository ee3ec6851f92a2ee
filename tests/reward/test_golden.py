"""What the reference implementation answers (tests/golden/reward)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from olmeda.artifacts.examples import Message
from olmeda.reward.best_of_n import best_of_n
from olmeda.reward.dialogue import conversation, rendered
from olmeda.reward.ensemble import ensemble_results
from olmeda.reward.judge import (
    best_rated,
    four_way_verdict,
    pair_from_ratings,
    rating,
    ratings_score,
    verdict,
)
from olmeda.reward.logprobs import reduced, shifted, token_logprobs
from olmeda.reward.sections import (
    length_favours,
    overall_score,
    prior_score,
    published,
    right,
    section_scores,
    subset_means,
)
from olmeda.reward.ties import TiesRow, ties_score

GOLDEN = Path(__file__).parent.parent / "golden" / "reward"


def golden(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((GOLDEN / f"{name}.json").read_text())
    return found


def cases(name: str) -> list[Any]:
    return [
        pytest.param(case, id=str(case.get("name", i)))
        for i, case in enumerate(golden(name)["cases"])
    ]


def test_sections_and_weights_are_the_published_ones() -> None:
    constants = golden("constants")
    ours = published()
    assert {s: list(w) for s, w in ours.items()} == constants["SUBSET_MAPPING"]
    weights = {name: w for subsets in ours.values() for name, w in subsets.items()}
    assert weights == constants["EXAMPLE_COUNTS"]
    assert length_favours() == constants["LENGTH_CATEGORIES"]


@pytest.mark.parametrize("case", cases("section_scores"))
def test_section_scores(case: dict[str, Any]) -> None:
    found = section_scores(case["metrics"], published(), compat="rewardbench")
    assert found == pytest.approx(case["section_scores"], abs=1e-12)


@pytest.mark.parametrize("case", cases("overall_score"))
def test_overall_score(case: dict[str, Any]) -> None:
    sections = section_scores(case["metrics"], published())
    prior = prior_score(case["pref_sets"] or {})
    assert overall_score(sections, prior) == pytest.approx(case["expected"]["average"], abs=1e-12)
    assert prior == pytest.approx(case["expected"]["Prior Sets (0.5 weight)"])


@pytest.mark.parametrize("case", cases("items_to_sections"))
def test_items_to_sections(case: dict[str, Any]) -> None:
    items = case["items"]
    results = right(
        np.array([i["score_chosen"] for i in items]), np.array([i["score_rejected"] for i in items])
    )
    assert results.tolist() == case["results"]
    assert results.mean() == case["accuracy"]
    means = subset_means([i["subset"] for i in items], results.tolist())
    assert means == pytest.approx(case["subset"], abs=1e-12)
    assert section_scores(means, published()) == pytest.approx(case["section_scores"], abs=1e-12)


@pytest.mark.parametrize("case", cases("v2_best_of_n"))
def test_best_of_n(case: dict[str, Any]) -> None:
    assert [best_of_n(g) for g in case["groups"]] == pytest.approx(case["results"])


@pytest.mark.parametrize("case", cases("v2_ties"))
def test_ties(case: dict[str, Any]) -> None:
    rows = [TiesRow(r["id"], r["scores"], r["num_correct"]) for r in case["rows"]]
    found = ties_score(rows)
    if "error" in case["expected"]:
        assert found.failures
    else:
        assert found.score == pytest.approx(case["expected"]["score"], abs=1e-9, nan_ok=True)
    wheel = ties_score(rows, compat="rewardbench-0.1.4").score
    assert wheel == pytest.approx(case["wheel_0_1_4"]["score"], abs=1e-9, nan_ok=True)


STYLES = {"None": "brackets", "prometheus": "prometheus", "Con-J": "con-j", "gemini": "brackets",
          "offsetbias": "offsetbias", "Atla": "atla", "RISE-Judge": "brackets"}  # fmt: skip


@pytest.mark.parametrize("case", cases("judge_parsing"))
def test_judge_parsing(case: dict[str, Any]) -> None:
    reply = case["judgment"]
    for name, expected in case["pairwise"].items():
        # The reference returns "error", "None", None or any word: each scores as no verdict.
        known = expected if expected in ("A", "B") else None
        assert verdict(reply, STYLES[name], compat="rewardbench") == known, name  # type: ignore[arg-type]
    known = case["four_way"] if case["four_way"] in "ABCD" else None
    assert four_way_verdict(reply, compat="rewardbench") == known


@pytest.mark.parametrize("case", cases("ratings_parsing"))
def test_ratings_parsing(case: dict[str, Any]) -> None:
    found = rating(case["raw"], compat="rewardbench")
    assert (-1 if found is None else found) == case["v1"] == case["v2"] == case["v2_ties"]


@pytest.mark.parametrize("case", cases("ratings_judging"))
def test_ratings_judging(case: dict[str, Any]) -> None:
    ratings = [rating(raw, compat="rewardbench") for raw in case["ratings_raw"]]
    assert [-1 if r is None else r for r in ratings] == case["ratings"]
    if case["kind"] == "pair":
        assert (pair_from_ratings(*ratings) or "error") == case["winner"]
    else:
        assert best_rated(ratings) == case["winners"]
        assert ratings_score(ratings) == case["item_score"]


@pytest.mark.parametrize("case", cases("ensemble_offline"))
def test_ensemble_offline(case: dict[str, Any]) -> None:
    chosen, rejected = np.array(case["scores_chosen"]), np.array(case["scores_rejected"])
    for name, expected in case["expected"].items():
        mode, _, scale = name.lower().partition("_")
        found = ensemble_results(chosen, rejected, mode, normalize=scale == "normalized")  # type: ignore[arg-type]
        assert found.tolist() == expected, name


@pytest.mark.parametrize("case", cases("dpo_logps"))
def test_dpo_logps(case: dict[str, Any]) -> None:
    logits, labels = shifted(np.array(case["logits"]), np.array(case["labels"]))
    logp = token_logprobs(logits, labels)
    for how, expected in case["expected"].items():
        assert reduced(logp, labels != -100, how) == pytest.approx(expected, abs=1e-5)  # type: ignore[arg-type]


@pytest.mark.parametrize("case", cases("dialogue"))
def test_dialogue(case: dict[str, Any]) -> None:
    shared = golden("dialogue")
    example, expected = case["example"], case["expected"]

    def text(prompt: Any, answer: str | None = None) -> str:
        turns = prompt if isinstance(prompt, str) else [Message(**m) for m in prompt]
        messages = conversation(turns, answer, compat="rewardbench")
        return rendered(messages, shared["chat_template"], shared["eos"])

    if case.get("ift"):
        assert text(example["messages"]) == expected["text"]
        return
    assert text(example["prompt"]) == expected["prompt"]
    assert text(example["prompt"], example["chosen"]) == expected["text_chosen"]
    assert text(example["prompt"], example["rejected"]) == expected["text_rejected"]
