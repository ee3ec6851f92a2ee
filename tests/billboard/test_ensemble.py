"""The ensemble: published weights come back, at most three survive, held out means held out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import Lasso

from olmeda.billboard.correlate import pearson
from olmeda.billboard.ensemble import choose_alpha, fit, held_out, instance_folds, standardise

from .conftest import Published

BOARDS = {
    "wmt20-zh-en": (7.65, 100.0, 4.0, 0.605),
    "cnndm": (2.3, 0.0, 20.0, 0.293),
    "mscoco": (2.0, 0.0, 20.0, 0.454),
}
"""Alpha, shift and scale of the human score, and Pearson with each system left out."""


@pytest.mark.parametrize("board", BOARDS)
def test_published_ensemble_comes_back(
    board: str, published: Callable[[str], Published], golden: dict[str, Any]
) -> None:
    alpha, shift, scale, without_system = BOARDS[board]
    found = published(board)
    values = found.rated.select(found.metrics).to_numpy()
    quality = shift + scale * found.rated["human_score"].to_numpy()
    fitted = fit(values, quality, found.metrics, alpha=alpha)
    everywhere = fitted.apply(found.everything.select(found.metrics).to_numpy())
    assert np.abs(everywhere - found.everything["ensemble"].to_numpy()).max() < 5e-3
    assert len(fitted.members) == 3
    if board in golden:
        weights = golden[board]["published_ensemble"]
        assert fitted.raw() == pytest.approx(weights, abs=5e-3)
    predicted = held_out(values, quality, found.rated["SYS"].to_numpy(), alpha=alpha)
    assert pearson(predicted, quality) == pytest.approx(without_system, abs=5e-4)


def test_chosen_alpha_is_the_smallest_that_leaves_three(
    published: Callable[[str], Published],
) -> None:
    found = published("cnndm")
    values = found.rated.select(found.metrics).to_numpy()
    quality = 20 * found.rated["human_score"].to_numpy()
    fitted = fit(values, quality, found.metrics, most=3)
    assert fitted.alpha == pytest.approx(2.092, abs=1e-3)
    assert len(fitted.members) == 3
    assert len(fit(values, quality, found.metrics, alpha=fitted.alpha * 0.999).members) > 3


def synthetic(seed: int = 0, rows: int = 300, metrics: int = 7) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(rows, metrics)) * np.arange(1, metrics + 1)
    return values, values @ np.linspace(1, 0.1, metrics) + rng.normal(size=rows)


@pytest.mark.parametrize("most", [1, 2, 3, 7, 9])
def test_at_most_so_many_survive(most: int) -> None:
    values, quality = synthetic()
    names = [f"m{k}" for k in range(7)]
    assert len(fit(values, quality, names, most=most).members) == min(most, 7)


def test_weights_equal_scikit_learn() -> None:
    values, quality = synthetic(1)
    fitted = fit(values, quality, [f"m{k}" for k in range(7)], alpha=0.3)
    oracle = Lasso(alpha=0.3, tol=1e-10).fit(standardise(values)[0], quality)
    assert fitted.weights == pytest.approx(oracle.coef_.tolist(), abs=1e-6)
    assert fitted.apply(values) == pytest.approx(oracle.predict(standardise(values)[0]), abs=1e-5)
    raw = fitted.raw()
    by_hand = raw["intercept"] + sum(values[:, int(m[1:])] * raw[m] for m in fitted.members)
    assert by_hand == pytest.approx(fitted.apply(values))


def test_constant_metric_gets_no_weight_and_constant_quality_is_refused() -> None:
    values, quality = synthetic(2)
    values[:, 0] = 4.2
    fitted = fit(values, quality, [f"m{k}" for k in range(7)])
    assert fitted.weights[0] == 0.0
    with pytest.raises(ValueError, match="constant"):
        choose_alpha(standardise(values)[0], np.full(len(values), 0.3), 3)


def test_copy_of_a_metric_leaves_no_dust_in_the_weights() -> None:
    values, quality = synthetic(6)
    values[:, 1] = values[:, 0] * 3 + 1 + 1e-9 * values[:, 2]
    fitted = fit(values, quality, [f"m{k}" for k in range(7)])
    assert all(abs(w) > 1e-6 for w in fitted.weights if w != 0)
    assert len(fitted.members) == 3


def test_prediction_of_a_fold_never_saw_the_fold() -> None:
    values, quality = synthetic(3)
    folds = np.arange(len(quality)) % 5
    before = held_out(values, quality, folds)
    quality[folds == 2] += 100.0
    after = held_out(values, quality, folds)
    assert np.array_equal(before[folds == 2], after[folds == 2])
    assert not np.allclose(before[folds == 1], after[folds == 1])


def test_single_fold_has_no_prediction() -> None:
    values, quality = synthetic(4)
    assert np.isnan(held_out(values, quality, np.zeros(len(quality)))).all()


def test_folds_are_even_and_follow_the_generator() -> None:
    folds = instance_folds(23, 5, np.random.default_rng(1))
    assert sorted(np.bincount(folds).tolist()) == [4, 4, 5, 5, 5]
    assert np.array_equal(folds, instance_folds(23, 5, np.random.default_rng(1)))
