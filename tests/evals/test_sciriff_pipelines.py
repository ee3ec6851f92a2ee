"""golden: whole tasks from raw replies to headline numbers, as SciRIFF computed them."""

from __future__ import annotations

import pytest

from evals.sciriff_cases import assert_close, far_cases
from olmeda.base.errors import ConfigError
from olmeda.evals.sciriff import PIPELINES, Sample, evaluate, without_end

ROUGE_TOLERANCE = 0.02
"""Theirs is the middle of a bootstrap; ours the mean."""


@pytest.mark.parametrize("task", PIPELINES)
def test_pipeline_gives_the_published_numbers(task: str) -> None:
    for case in far_cases(f"pipeline_{task}"):
        samples = [Sample(s["target"], s["response"]) for s in case["samples"]]
        found = evaluate(task, samples, "sciriff")
        expected = case["expected"]["value"]
        raw = [p["pred"] for p in expected["raw_predictions"]]
        assert [without_end(s.response, "sciriff") for s in samples] == raw
        for key, value in expected["metrics_flat"].items():
            if "judge" not in key:
                tolerance = ROUGE_TOLERANCE if "rouge" in key else 1e-9
                assert_close(found.metrics[key], value, key, tolerance)
        for key, value in expected["metrics_summary"].items():
            if "judge" not in key:
                tolerance = ROUGE_TOLERANCE if "rouge" in key else 1e-9
                assert_close(found.headline[key], value, key, tolerance)


def test_end_token_is_taken_off_whole() -> None:
    assert without_end("new parsers</s>") == "new parsers"
    assert without_end("new parsers", "sciriff") == "new parser"


def test_a_wrong_direction_is_no_finding() -> None:
    finding = '[["aspirin", "placebo", "pain", "significantly %s", "less pain"]]'
    samples = [Sample(finding % "increased", finding % "decreased")]
    assert evaluate("evidence_inference", samples, "sciriff").headline["f1_overlap"] == 1
    assert evaluate("evidence_inference", samples).headline["f1_overlap"] == 0


def test_unknown_task_is_named() -> None:
    with pytest.raises(ConfigError, match="did you mean 'scierc_ner'"):
        evaluate("scierc_nre", [])
