"""A list of instances answered and scored, with a system that is no model at all."""

from __future__ import annotations

from collections.abc import Sequence

from evals.conftest import World
from olmeda.evals.answers import GOLD_BITS, Asked, answer, human
from olmeda.evals.run import questions


class Parrot:
    """Knows every expected answer; picks the first choice; is asked in as few calls as possible."""

    def __init__(self, asked: Sequence[Asked]) -> None:
        self.known = {a.instance.input: a.instance.output for a in asked}
        self.calls: list[tuple[str, int]] = []

    def write(self, prompts: Sequence[str], max_new_tokens: int) -> list[str]:
        self.calls.append(("write", max_new_tokens))
        return [self.known[prompt] for prompt in prompts]

    def weigh(self, prompts: Sequence[str], choices: Sequence[str]) -> list[list[float]]:
        self.calls.append(("weigh", len(choices)))
        return [[-float(i) for i, _ in enumerate(choices)] for _ in prompts]

    def surprise(self, prompts: Sequence[str], answers: Sequence[str]) -> list[float]:
        return [8.0 * len(text) for text in answers]


def test_every_family_is_answered_in_its_way(world: World) -> None:
    asked = questions(world.instances, ["test"], None, 50)
    parrot = Parrot(asked)
    found = answer("parrot", parrot, asked)
    assert sorted(parrot.calls) == [("weigh", 3), ("write", 16), ("write", 36), ("write", 40)]
    means: dict[tuple[str, str], list[float]] = {}
    raters: dict[str, set[str]] = {}
    for row in found.scores:
        means.setdefault((row.task, row.scorer), []).append(row.value)
        raters.setdefault(row.scorer, set()).add(row.rater)
    assert set(means["test/extraction", "list_f1"]) == {1.0}
    assert set(means["test/naming", "exact_match"]) == {1.0}
    assert set(means["test/generation", GOLD_BITS]) == {8.0}
    picked = means["test/classification", "accuracy"]
    assert sum(picked) / len(picked) == 1 / 3
    assert raters["accuracy"] == {"checker:label"}
    assert raters["quality"] == {"checker:python_summary"}
    assert raters["name_f1"] == {"metric:name_f1"}
    assert {o.task for o in found.outputs} == {"test/extraction", "test/naming", "test/generation"}


def test_the_human_answers_where_a_second_text_is_the_reference(world: World) -> None:
    asked = questions(world.instances, ["test"], None, 50)
    found = human(asked)
    assert found.system == "Human"
    assert {o.task for o in found.outputs} == {"test/generation"}
    for output in found.outputs:
        assert output.text == output.metadata["expected"] != output.reference
    assert {row.scorer for row in found.scores} == {"parsable", "exact", "complete", "quality"}


def test_failures_are_counted_with_their_reason(world: World) -> None:
    asked = questions(world.instances, ["test"], ["extraction"], 4)
    parrot = Parrot(asked)
    parrot.known = dict.fromkeys(parrot.known, "no list here")
    found = answer("mute", parrot, asked)
    assert found.failures == {"test/extraction list_f1": {"no JSON list in the answer": 4}}
