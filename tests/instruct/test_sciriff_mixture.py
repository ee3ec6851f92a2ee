"""golden: SciRIFF's mixtures of science tasks and general conversations on its toy tree."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec
import pytest

from evals.sciriff_cases import HOME
from olmeda.artifacts.examples import Conversation, Instance, Message
from olmeda.base.files import read_json
from olmeda.instruct.sciriff import create_mixture, mixture_name

TREE = {
    "acl_arc_intent_classification": 5,
    "scitldr_aic": 3,
    "scierc_ner": 4,
    "pubmedqa_qa": 2,
}


def science() -> dict[str, list[Instance]]:
    return {
        task: [
            Instance(f"{task}:train:{7 * i}", task, f"{task} in {i}", f"out {i}")
            for i in range(count)
        ]
        for task, count in TREE.items()
    }


def general() -> list[Conversation]:
    return [
        Conversation(
            "science.old" if i % 5 == 0 else "flan_v2",
            f"tulu_{i}",
            [Message("user", f"u{i}"), Message("assistant", f"a{i}")],
        )
        for i in range(30)
    ]


def made(case: dict[str, Any]) -> list[Conversation]:
    return create_mixture(
        science(),
        general(),
        instances_per_task=case["instances_per_task"],
        mode=case["tulu"],
        include_eval_tasks=case["include_eval_tasks"],
    )


CASES = read_json(HOME / "create_mixture.json")["cases"]


@pytest.mark.parametrize("case", CASES, ids=lambda c: c["out_name"])
def test_mixture_holds_what_sciriffs_holds(case: dict[str, Any]) -> None:
    rows = made(case)
    assert len(rows) == case["n_rows"]
    assert sum(row.dataset.startswith("science") for row in rows) == case["n_science"]
    assert Counter(row.dataset for row in rows) == case["n_by_dataset"]
    if case["sorted_ids"] is not None:
        assert sorted(row.id for row in rows) == case["sorted_ids"]
    if case["first_row"] is not None:
        first = next((row for row in rows if row.id == case["first_row"]["id"]), None)
        if first is not None:  # a sample of the general rows need not hold theirs
            assert msgspec.to_builtins(first) == case["first_row"]
    name = mixture_name(case["instances_per_task"], case["tulu"], case["include_eval_tasks"])
    assert name == case["out_name"]


def test_order_hangs_on_the_seed_alone() -> None:
    case = {"instances_per_task": 3, "tulu": "match", "include_eval_tasks": True}
    tree = science()
    backwards = {task: tree[task] for task in reversed(tree)}
    again = create_mixture(
        backwards, general(), instances_per_task=3, mode="match", include_eval_tasks=True
    )
    other = create_mixture(
        tree, general(), instances_per_task=3, mode="match", include_eval_tasks=True, seed=1
    )
    assert made(case) == again
    assert [row.id for row in again] != [row.id for row in other]
