"""What the scorers do by default where SciRIFF's have quirks, and what no answer may break."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from olmeda.artifacts.examples import Instance
from olmeda.base.errors import InputError
from olmeda.evals.pairs import Pair
from olmeda.evals.registries import scorer
from olmeda.evals.scorers.attributed_qa import attributed_qa
from olmeda.evals.scorers.bleu import bleu
from olmeda.evals.scorers.f1 import item_f1
from olmeda.evals.scorers.fact_checking import fact_checking
from olmeda.evals.scorers.json_reply import parse_references, parse_reply
from olmeda.evals.scorers.judge import Decision, mean_decision, parse_decision, parse_rating
from olmeda.evals.scorers.label import accuracy, most_likely
from olmeda.evals.scorers.list_f1 import list_f1, mark_json_list
from olmeda.evals.scorers.ner_f1 import ner_f1
from olmeda.evals.scorers.relation_f1 import relation_f1
from olmeda.evals.scorers.token_f1 import name_parts

ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('see ["a]"] here', ["a]"]),
        ('] then ["b"]', ["b"]),
        ("[bad] [1]", [1]),
        ("[[1, 2], [3]", [1, 2]),
    ],
)
def test_json_is_found_whatever_brackets_stand_around_it(text: str, value: object) -> None:
    assert parse_reply(text, []).value == value


@given(ANY_JSON.filter(lambda v: v not in (None, "null")), st.text("ab ,.:", max_size=9))
def test_json_of_a_list_in_any_plain_text_is_found(value: object, around: str) -> None:
    text = json.dumps([value])
    assert parse_reply(f"{around}x{text}{around}", []).status == "extract_success"
    assert parse_reply(text, []).status == "valid_json"


@pytest.mark.parametrize("text", ["[" * 100_000, "9" * 5000, '{"a":' * 3000])
def test_monstrous_replies_are_failures(text: str) -> None:
    for compat in (None, "sciriff"):
        assert parse_reply(text, [], compat=compat).status == "extract_failure"


def test_references_must_be_json() -> None:
    with pytest.raises(InputError, match="reference 1 is not valid JSON"):
        parse_references(["[]", "nothing"])


def test_a_string_is_one_entry_and_an_object_is_no_list() -> None:
    assert list_f1([Pair("abc", ["abc"])]).f1.f1 == 1
    assert list_f1([Pair({"a": 1}, ["a"])]).failures[0].reason.endswith("found an object")
    assert list_f1([Pair([["A", True]], ["a true"])]).f1.f1 == 1


def test_a_string_of_a_type_is_one_mention() -> None:
    assert ner_f1([Pair({"Gene": "BRCA1"}, {"Gene": ["brca1"]})]).typed.f1 == 1


def test_null_matches_null_alone_and_malformed_entries_cost_precision() -> None:
    ref = ["a", None, "c"]
    assert relation_f1([Pair([ref], [ref])], 3).overlap.f1 == 0  # "a" is an article: no words
    ref = ["aspirin", None, "pain"]
    assert relation_f1([Pair([ref], [ref])], 3).overlap.f1 == 1
    assert relation_f1([Pair([["aspirin", "x", "pain"]], [ref])], 3).substring.f1 == 0
    two = relation_f1([Pair([ref, ["short"]], [ref])], 3).exact
    assert (two.p, two.r) == (0.5, 1)


def test_a_reference_relation_that_is_none_is_an_input_error() -> None:
    with pytest.raises(InputError, match="reference 0: not a relation"):
        relation_f1([Pair([], [[{"a": 1}, "b", "c"]])], 3)


def test_a_verdict_that_is_no_object_costs_recall() -> None:
    truth = {"verdict": "SUPPORT", "evidence": ["One sentence."]}
    pairs = [Pair(truth, truth), Pair("SUPPORT", truth)]
    assert fact_checking(pairs, "sciriff").label.r == 1
    assert fact_checking(pairs).label.r == 0.5
    text = Pair({"verdict": "SUPPORT", "evidence": "One sentence."}, truth)
    assert fact_checking([text]).evidence_sent.f1 == 1


def test_evidence_as_text_is_one_passage() -> None:
    pair = Pair(
        {"answer": "yes", "evidence": "So it is."}, {"answer": "yes", "evidence": ["So it is."]}
    )
    assert attributed_qa([pair]).scores["f1_evidence_all"] == 1


def test_judge_defaults() -> None:
    assert parse_rating("no rating") is None
    assert parse_rating("Rating: 7") is None
    named = parse_decision("Summary 2 is bad. Decision: 1", "model_comparison")
    assert named == Decision("win", "baseline summary is bad.")
    decisions = [Decision(0.0, ""), Decision(1.0, ""), Decision("error")]
    assert mean_decision(decisions) == (0.5, 2)
    assert mean_decision(decisions, "sciriff") == (1.0, 1)
    assert mean_decision([]) == (0.0, 0)


def test_bleu_of_nothing_is_zero() -> None:
    assert bleu([], []).bleu == bleu([""], [""]).bleu == bleu(["a"], [""]).bleu == 0


def test_nothing_said_where_nothing_is_to_be_found_is_right() -> None:
    assert item_f1(0, 0, 0) == 1
    assert item_f1(0, 1, 0) == 0


def test_label_of_the_highest_weight_and_the_first_of_equals() -> None:
    assert most_likely(["a", "b", "c"], [-2, -1, -1]) == "b"
    assert accuracy(["a", "b"], ["a", "c"]) == 0.5
    assert accuracy([], []) == 0


@pytest.mark.parametrize(
    ("name", "parts"),
    [("getHTTPResponse_code", ["get", "http", "response", "code"]), ("__x9", ["x", "9"]), ("", [])],
)
def test_names_come_apart_into_words(name: str, parts: list[str]) -> None:
    assert name_parts(name) == parts


@pytest.mark.parametrize(
    ("answer", "f1", "exact", "valid"),
    [
        ('["self", "x"]', 1, 1, 1),
        ('["x", "self"]', 1, 0, 1),
        ('Answer: ["self"]', 2 / 3, 0, 0),
        ('["self", 3]', 0.5, 0, 1),
        ("self, x", 0, 0, 0),
        ('{"self": 1}', 0, 0, 0),
        ("null", 0, 0, 0),
        ("[]", 0, 0, 1),
    ],
)
def test_json_lists_are_marked(answer: str, f1: float, exact: float, valid: float) -> None:
    instance = Instance("i", "extraction", "question", '["self", "x"]')
    values = {m.scorer: m.value for m in mark_json_list(answer, instance)}
    assert values == {"list_f1": pytest.approx(f1), "exact_list": exact, "valid_json": valid}


@given(st.text(max_size=60) | ANY_JSON.map(json.dumps))
def test_no_answer_breaks_a_scorer(answer: str) -> None:
    metadata = {"about": "def f(a):\n    return a", "language": "python", "reference": "Some text."}
    instance = Instance("i", "t", "Prompt: def f(a)", '["a"]', metadata)
    for name in scorer.names():
        for mark in scorer.bind(name)(answer, instance):
            assert 0 <= mark.value <= 1, name


@given(st.lists(st.tuples(ANY_JSON, st.lists(st.text(max_size=5), max_size=3)), max_size=3))
def test_no_prediction_breaks_a_measure(items: list[tuple[object, list[str]]]) -> None:
    for compat in (None, "sciriff"):
        list_f1([Pair(p, r) for p, r in items], compat)
        ner_f1([Pair(p, {"T": r}) for p, r in items], compat)
        relation_f1([Pair(p, [["x", "y", *r]]) for p, r in items], 3, compat=compat)
        fact_checking([Pair(p, {"verdict": "NEI", "evidence": r}) for p, r in items], compat)
        attributed_qa([Pair(p, {"answer": "x", "evidence": r}) for p, r in items], compat)
