"""THumB's captions as a board: metric correlations with P, R and total, and who differs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from olmeda.base.files import read_json
from olmeda.billboard.board import standings
from olmeda.billboard.correlate import pearson
from olmeda.billboard.resample import Resamples

from .conftest import ROOT


@pytest.fixture(scope="module")
def captions(data: Path) -> pl.DataFrame:
    file = data / "thumb" / "mscoco_THumB-1.0.jsonl"
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    kept = ("SYS", "set_id", "P", "R", "human_score")
    return pl.DataFrame([{k: r[k] for k in kept} for r in rows])


def test_published_correlations_with_each_dimension(data: Path, captions: pl.DataFrame) -> None:
    golden: Any = read_json(ROOT / "tests" / "golden" / "rubric" / "thumb.json")
    cells = pl.read_csv(data / "billboard" / "metric_scores" / "mscoco.csv.gz")
    rated = cells.join(captions, on=["SYS", "set_id"])
    assert len(rated) == 2000
    for metric, wanted in golden["mscoco"]["instance_pearson_machine_only"].items():
        for dimension, value in wanted.items():
            found = pearson(rated[metric].to_numpy(), rated[dimension].to_numpy())
            assert found == pytest.approx(value, abs=1e-5), (metric, dimension)


@pytest.mark.parametrize(
    ("metric", "machines", "with_human"),
    [("bleu", 0.248, 0.132), ("chrf", 0.319, 0.227), ("rougeL_maxns", 0.307, 0.181)],
)
def test_human_captions_collapse_the_correlation_of_string_metrics(
    data: Path, metric: str, machines: float, with_human: float
) -> None:
    cells = pl.read_csv(data / "billboard" / "metric_scores" / "mscoco_4refs_incl_human_own.csv.gz")
    alone = cells.filter(pl.col("SYS") != "Human")
    for rows, wanted in ((alone, machines), (cells, with_human)):
        found = pearson(rows[metric].to_numpy(), rows["human_score"].to_numpy())
        assert found == pytest.approx(wanted, abs=5e-4)


def test_best_two_machines_tie_and_the_person_leads(captions: pl.DataFrame) -> None:
    rows = captions.sort("SYS", "set_id")
    systems = rows["SYS"].unique(maintain_order=True).to_list()
    scores = rows["human_score"].to_numpy().reshape(len(systems), -1)
    draws = Resamples.draw("instances", scores.shape[1], 10_000, np.random.default_rng(0))
    found = dict(zip(systems, standings(scores, draws)))
    assert [found[s].group for s in ("Human", "VinVL-large", "VinVL-base")] == [1, 2, 2]
    means = draws.means(scores.T)
    human, large, base = (
        means[:, systems.index(s)] for s in ("Human", "VinVL-large", "VinVL-base")
    )
    # the intervals of the two differences, as the reference bootstrap gives them
    for difference, wanted in ((human - large, (0.257, 0.375)), (large - base, (-0.003, 0.083))):
        assert np.quantile(difference, [0.025, 0.975]) == pytest.approx(wanted, abs=0.004)


def test_equal_systems_share_a_rank_and_its_interval() -> None:
    rng = np.random.default_rng(2)
    base = rng.normal(size=40)
    draws = Resamples.draw("instances", 40, 500, rng)
    found = standings(np.stack([base, base + 9, base, np.full(40, np.nan)]), draws)
    assert [(s.rank, s.rank_low, s.rank_high) for s in found[:3]] == [
        (2, 2, 2),
        (1, 1, 1),
        (2, 2, 2),
    ]
    assert (found[3].rank, found[3].mean.reason) == (None, "not rated")
