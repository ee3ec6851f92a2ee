"""The comparison on the published results of Merge to Learn: its table comes out again."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from olmeda.merge.contest import Contest, Way, judge

GENERAL = ["mmlu_0shot", "gsm_cot", "bbh_cot", "truthfulqa", "alpaca_eval"]
SCIENCE = ["bioasq_f1", "biored_f1", "discomat_bleu", "evidence_inference_f1_overlap",
           "multicite_f1", "mup_rouge", "qasper_f1_answer", "qasper_f1_evidence", "scierc_f1",
           "scifact_f1_label", "scifact_f1_evidence_sent"]  # fmt: skip
SWEEP = "task_arithmetic-llama_2_7b-tulu_all_1.0-llama_2_7b-tulu_none-science_2500_"
WEIGHTS = [0.1, 0.2, 0.22, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]
WAYS = [
    Way("general", "llama_2_7b-tulu_all", 0.0),
    Way("alone", "llama_2_7b-tulu_none-science_2500", 0.22),
    Way("continued", "tulu_2_7b-tulu_none-science_2500", 0.22),
    Way("retrained", "llama_2_7b-tulu_all-science_2500", 1.22),
    *(Way("merged", f"{SWEEP}{w}", 0.22, w) for w in WEIGHTS),
]
"""Costs in units of the general data."""


@pytest.fixture(scope="module")
def results() -> pl.DataFrame:
    data = os.environ.get("OLMEDA_DATA")
    home = Path(data) if data else Path(__file__).parents[3] / "shared" / "data"
    file = home / "merge" / "consistent_mix" / "results.csv"
    if not file.is_file():
        pytest.skip("the published results are not here; set OLMEDA_DATA to the data folder")
    frame = pl.read_csv(file, infer_schema_length=None)
    return frame.with_columns(pl.col("alpaca_eval") / 100)


def values(results: pl.DataFrame, columns: list[str]) -> list[np.ndarray]:
    """One family a column, with its mean over all items as the only item."""
    rows = [results.row(by_predicate=pl.col("model_key") == w.system, named=True) for w in WAYS]
    return [np.array([[float(row[column])] for row in rows]) for column in columns]


@pytest.fixture(scope="module")
def contest(results: pl.DataFrame) -> Contest:
    general = values(results, GENERAL)
    tested = values(results, [f"{name}_TEST" for name in SCIENCE])
    return Contest(
        WAYS, general, values(results, SCIENCE), general, tested, 0.5, data_weight=0.22, seed=0
    )


def test_table_of_the_paper_comes_out_again(contest: Contest) -> None:
    points = {p.system: p for p in judge(contest).points}
    expected = {
        "llama_2_7b-tulu_all": (49.9, 27.8),
        "llama_2_7b-tulu_none-science_2500": (23.5, 38.8),
        "llama_2_7b-tulu_all-science_2500": (50.6, 38.7),
        "tulu_2_7b-tulu_none-science_2500": (33.9, 35.1),
        f"{SWEEP}0.22": (50.3, 34.8),
    }
    for system, (general, science) in expected.items():
        assert 100 * points[system].general.value == pytest.approx(general, abs=0.051)
        assert 100 * points[system].choose_skill == pytest.approx(science, abs=0.051)


def test_sweep_of_the_paper_comes_out_again(contest: Contest) -> None:
    swept = [p for p in judge(contest).points if p.kind == "merged" and p.weight != 0.22]
    general = [50.2, 50.6, 49.2, 48.2, 47.9, 47.1, 46.4, 45.9, 44.6, 43.1]
    science = [32.1, 35.1, 34.2, 35.5, 36.6, 36.4, 36.5, 32.6, 29.6, 28.9]
    assert [100 * p.general.value for p in swept] == pytest.approx(general, abs=0.051)
    assert [100 * p.choose_skill for p in swept] == pytest.approx(science, abs=0.051)


def test_weight_chosen_on_the_development_split_costs_little_on_the_test_split(
    contest: Contest,
) -> None:
    found = judge(contest)
    assert found.heuristic is not None
    assert found.heuristic.weight == 0.22
    assert 0 <= found.chosen.regret.value < 0.01
    assert 0 <= found.heuristic.regret.value < 0.01
