"""Metrics equal the libraries they lean on, and the published columns."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import sacrebleu

from olmeda.base.errors import ConfigError
from olmeda.base.registry import Spec
from olmeda.billboard.registries import column_name, metric, signature

TEXTS = ["the cat sat on the mat", "", "a completely other sentence", "naïve ☃ text\nwith lines"]
REFERENCES = [["the cat sat on a mat", "a cat sat"], ["something"], ["nothing alike"], ["☃ text"]]


@pytest.mark.parametrize("name", metric.names())
def test_every_metric_gives_one_finite_number_a_text(name: str) -> None:
    values = metric.bind(name)(TEXTS, REFERENCES)
    assert len(values) == len(TEXTS)
    assert all(isinstance(v, float) and v == v for v in values)
    assert metric.bind(name)([], []) == []


@pytest.mark.parametrize("name", ["bleu", "chrf", "rouge", "token_f1"])
def test_a_perfect_text_beats_a_poor_one(name: str) -> None:
    same, poor = metric.bind(name)([TEXTS[0], "cat"], [[TEXTS[0]], [TEXTS[0]]])
    assert same > poor


def test_bleu_and_chrf_equal_sacrebleu() -> None:
    assert metric.bind("bleu")(TEXTS, REFERENCES) == [
        sacrebleu.sentence_bleu(h, r).score for h, r in zip(TEXTS, REFERENCES)
    ]
    plus = metric.bind({"name": "chrf", "word_order": 2})
    assert plus(TEXTS, REFERENCES) == [
        sacrebleu.sentence_chrf(h, r, word_order=2).score for h, r in zip(TEXTS, REFERENCES)
    ]


def test_bleu_of_the_published_example(data: Path, golden: dict[str, Any]) -> None:
    folder = data / "billboard" / "submissions"

    def column(kind: str, key: str) -> list[Any]:
        file = folder / f"bleu_example_wmt20-zh-en_{kind}.jsonl"
        return [json.loads(line)[key] for line in file.read_text().splitlines()]

    values = metric.bind("bleu")(column("test-metric", "hyp"), column("refs", "refs"))
    assert values == golden["sacrebleu_readme_example"]


def test_columns_of_captions_against_four_references(data: Path) -> None:
    cells = pl.read_csv(data / "billboard" / "metric_scores" / "mscoco_4refs_incl_human_own.csv.gz")
    rated = pl.read_ndjson(data / "thumb" / "mscoco_THumB-1.0.jsonl").select("SYS", "set_id", "hyp")
    refs = pl.read_ndjson(data / "thumb" / "mscoco_references.json").select("set_id", "refs")
    rows = cells.join(rated, on=["SYS", "set_id"]).join(refs, on="set_id")
    rows = rows.gather_every(25)
    texts, references = rows["hyp"].to_list(), rows["refs"].to_list()
    for name, column in (("bleu", "bleu"), ("chrf", "chrf"), ("rouge", "rougeL_maxns")):
        assert metric.bind(name)(texts, references) == pytest.approx(rows[column].to_list())


def test_word_f1_counts_repetition_and_takes_the_best_reference() -> None:
    score = metric.bind("token_f1")
    assert score(["a a b"], [["a b"]]) == [0.8]
    assert score(["A, b!"], [["x", "a b"]]) == [1.0]
    assert score(["", "", "a"], [[""], ["a"], [""]]) == [1.0, 0.0, 0.0]


def test_signature_names_version_library_and_every_setting() -> None:
    spec = Spec.of({"name": "chrf", "word_order": 2})
    assert column_name(spec) == "chrf(word_order=2)"
    assert signature(spec) == f"chrf@1|sacrebleu:{sacrebleu.__version__}|char_order:6|word_order:2"
    assert signature(Spec.of("token_f1")) == "token_f1@1"


def test_unknown_metric_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="no metric called 'blue'; did you mean 'bleu'"):
        metric.bind("blue")


@pytest.mark.parametrize(
    "spec", [{"name": "rouge", "variant": "rougeX"}, {"name": "bleu", "smooth": "x"}]
)
def test_unknown_setting_is_refused_before_anything_is_scored(spec: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="Input should be"):
        metric.bind(spec)
