"""Krippendorff's alpha and the published tables of THumB."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import krippendorff
import numpy as np
import pytest

from olmeda.rubric.agreement import alpha, mean_interval, pairs

from .conftest import rows_of

EXPERTS = {
    "coherence": (0.558, 0.549, 0.644),
    "consistency": (0.892, 0.770, 0.906),
    "fluency": (0.700, 0.553, 0.715),
    "relevance": (0.459, 0.399, 0.520),
}
"""THumB-cnndm, three experts: alpha interval, alpha ordinal, mean Pearson of pairs."""


def generator() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.mark.parametrize("dimension", EXPERTS)
def test_agreement_of_the_published_experts(thumb_data: Path, dimension: str) -> None:
    rows = rows_of(thumb_data / "cnndm_THumB-1.0.jsonl")
    values = np.array([[a[dimension] for a in r["expert_annotations"]] for r in rows], float).T
    wanted = EXPERTS[dimension]
    assert alpha(values, "interval", 3, generator()).value == pytest.approx(wanted[0], abs=5e-4)
    assert alpha(values, "ordinal", 3, generator()).value == pytest.approx(wanted[1], abs=5e-4)
    found = [p.pearson for p in pairs(["a", "b", "c"], values)]
    assert np.mean(found) == pytest.approx(wanted[2], abs=5e-4)


def test_means_and_intervals_of_the_published_table(
    thumb_data: Path, golden: dict[str, Any]
) -> None:
    rows = rows_of(thumb_data / "mscoco_THumB-1.0.jsonl")
    for system, means in golden["mscoco"]["system_means"].items():
        mine = [r for r in rows if r["SYS"] == system]
        for key, wanted in means.items():
            found = mean_interval(np.array([r[key] for r in mine]))
            assert found.mean == pytest.approx(wanted, abs=1e-9)
            assert found.half == pytest.approx(
                golden["mscoco"]["ci95_normal"][system][key], abs=1e-6
            )


def test_precision_and_recall_are_two_axes(thumb_data: Path, golden: dict[str, Any]) -> None:
    rows = rows_of(thumb_data / "mscoco_THumB-1.0.jsonl")
    both = np.array([[r["P"] for r in rows], [r["R"] for r in rows]])
    found = pairs(["P", "R"], both)[0].pearson
    assert found == pytest.approx(golden["mscoco"]["P_R_pearson_all"])


def test_missing_ratings_are_left_out_as_the_library_does() -> None:
    rng = generator()
    values = rng.integers(1, 6, size=(3, 30)).astype(float)
    values[rng.random(values.shape) < 0.3] = np.nan
    for level in ("ordinal", "interval"):
        oracle = krippendorff.alpha(reliability_data=values, level_of_measurement=level)
        assert alpha(values, level, 3, generator()).value == pytest.approx(oracle)


def test_interval_holds_the_value_and_narrows_with_units() -> None:
    rng = generator()
    truth = rng.integers(1, 6, size=200).astype(float)
    values = np.clip(truth + rng.integers(-1, 2, size=(2, 200)), 1, 5)
    wide, narrow = (alpha(values[:, :n], "interval", 200, generator()) for n in (20, 200))
    for found in (wide, narrow):
        assert found.low < found.value < found.high
    assert narrow.high - narrow.low < wide.high - wide.low


def test_undefined_agreement_says_why() -> None:
    nan = float("nan")
    alone = alpha(np.array([[1.0, 2.0], [nan, nan]]), "ordinal", 5, generator())
    assert (alone.value, alone.reason) == (None, "only 0 units were rated by two raters")
    same = alpha(np.ones((2, 5)), "ordinal", 5, generator())
    assert (same.value, same.reason) == (None, "every rating is the same")
    flat = pairs(["a", "b"], np.array([[1.0, 1.0], [1.0, 2.0]]))[0]
    assert (flat.pearson, flat.equal, flat.mean_difference) == (None, 0.5, -0.5)
    assert pairs(["a", "b"], np.array([[1.0, nan], [nan, 2.0]])) == []
