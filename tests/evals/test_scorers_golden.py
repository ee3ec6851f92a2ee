"""golden: every metric gives what SciRIFF gave, quirks included; its crashes are failures."""

from __future__ import annotations

from typing import Any

import pytest

from evals.sciriff_cases import assert_close, cases, f1_dict, ids, plain
from olmeda.base.errors import OlmedaError
from olmeda.evals.pairs import Pair
from olmeda.evals.scorers.attributed_qa import attributed_qa
from olmeda.evals.scorers.bleu import bleu
from olmeda.evals.scorers.f1 import compute_f1
from olmeda.evals.scorers.fact_checking import fact_checking
from olmeda.evals.scorers.json_reply import count_replies, parse_reply
from olmeda.evals.scorers.judge import parse_decision, parse_rating
from olmeda.evals.scorers.list_f1 import list_f1
from olmeda.evals.scorers.ner_f1 import ner_f1
from olmeda.evals.scorers.normalize import flatten, normalize_answer, normalize_list_entry
from olmeda.evals.scorers.relation_f1 import relation_f1
from olmeda.evals.scorers.rouge import rouge
from olmeda.evals.scorers.token_f1 import token_f1

Case = dict[str, Any]


def pairs(case: Case) -> list[Pair]:
    return [Pair(i["pred"], i["ref"]) for i in case["instances"]]


def expect(case: Case, found: Any, failures: list[Any]) -> None:
    if "raises" in case["expected"]:
        assert failures, "a crash of the original must be a failure here"
        assert all(failure.reason for failure in failures)
    else:
        assert_close(found, case["expected"]["value"])


@pytest.mark.parametrize("case", cases("json_parser"), ids=ids)
def test_json_parser(case: Case) -> None:
    mend = case["task"] == "EvidenceInference"
    reply = parse_reply(case["text"], case["default"], brace_closes_list=mend, compat="sciriff")
    found = {
        "parsed": plain(reply.value),
        "status": reply.status,
        "raw": reply.raw,
        "counts": count_replies([reply]),
    }
    assert_close(found, case["expected"]["value"])


@pytest.mark.parametrize("case", cases("compute_f1"), ids=ids)
def test_compute_f1(case: Case) -> None:
    assert_close(f1_dict(compute_f1(**case["input"])), case["expected"]["value"])


@pytest.mark.parametrize("case", cases("flatten"), ids=ids)
def test_flatten(case: Case) -> None:
    if "raises" in case["expected"]:
        with pytest.raises(OlmedaError, match="expected a list"):
            flatten(case["input"], "sciriff")
    else:
        assert flatten(case["input"], "sciriff") == case["expected"]["value"]


@pytest.mark.parametrize("case", cases("normalize_list_entry"), ids=ids)
def test_normalize_list_entry(case: Case) -> None:
    if "raises" in case["expected"]:
        with pytest.raises(OlmedaError, match="expected text"):
            normalize_list_entry(case["input"], "sciriff")
    else:
        assert normalize_list_entry(case["input"], "sciriff") == case["expected"]["value"]


@pytest.mark.parametrize("case", cases("token_f1_normalize_answer"), ids=ids)
def test_normalize_answer(case: Case) -> None:
    assert normalize_answer(case["input"]) == case["expected"]["value"]


@pytest.mark.parametrize("case", cases("token_f1"), ids=ids)
def test_token_f1(case: Case) -> None:
    assert token_f1(case["pred"], case["ref"]) == pytest.approx(case["expected"]["value"])


@pytest.mark.parametrize("case", cases("list_f1"), ids=ids)
def test_list_f1(case: Case) -> None:
    found = list_f1(pairs(case), "sciriff")
    expect(case, {"f1": f1_dict(found.f1), "parse_counts": found.parse_counts}, found.failures)


@pytest.mark.parametrize("case", cases("ner_f1"), ids=ids)
def test_ner_f1(case: Case) -> None:
    found = ner_f1(pairs(case), "sciriff")
    result = {"typed": f1_dict(found.typed), "untyped": f1_dict(found.untyped)}
    expect(case, result, found.failures)


@pytest.mark.parametrize("case", cases("relation_f1"), ids=ids)
def test_relation_f1(case: Case) -> None:
    found = relation_f1(pairs(case), case["tup_len"], case["overlap_thresh"], compat="sciriff")
    result = {name: f1_dict(getattr(found, name)) for name in ("exact", "substring", "overlap")}
    expect(case, result | {"parse_counts": found.parse_counts}, found.failures)


@pytest.mark.parametrize("case", cases("fact_checking"), ids=ids)
def test_fact_checking(case: Case) -> None:
    found = fact_checking(pairs(case), "sciriff")
    f1 = {n: f1_dict(getattr(found, n)) for n in ("label", "evidence_sent", "evidence_tok")}
    expect(case, {"f1": f1, "answer_parse": found.answer_parse}, found.failures)


@pytest.mark.parametrize("case", cases("attributed_qa"), ids=ids)
def test_attributed_qa(case: Case) -> None:
    found = attributed_qa(pairs(case), "sciriff")
    result = {"scores": plain(found.scores), "answer_parse": found.answer_parse}
    expect(case, result, found.failures)


@pytest.mark.parametrize("case", cases("bleu"), ids=ids)
def test_bleu(case: Case) -> None:
    found = bleu(case["predictions"], case["references"])
    if "raises" in case["expected"]:
        assert found.bleu == 0
    else:
        assert_close(found._asdict(), case["expected"]["value"])


@pytest.mark.parametrize("case", cases("rouge"), ids=ids)
def test_rouge(case: Case) -> None:
    assert_close(rouge(case["predictions"], case["references"]), case["expected"]["value"])


@pytest.mark.parametrize("case", cases("judge_reply_qasper"), ids=ids)
def test_judge_rating(case: Case) -> None:
    assert parse_rating(case["reply"], "sciriff") == case["expected"]["value"]


@pytest.mark.parametrize("case", cases("judge_reply_mup"), ids=ids)
def test_judge_decision(case: Case) -> None:
    found = parse_decision(case["reply"], case["eval_type"], case["pred_first"], "sciriff")
    expected = case["expected"]["value"]
    assert found.decision == expected["decision"]
    assert found.explanation == expected.get("decision_explanation")
