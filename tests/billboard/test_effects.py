"""Mixed models: published coefficients, a dense likelihood as oracle, and laws."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize

from olmeda.billboard.effects import crossed, design, random_intercept, z_score
from olmeda.billboard.overrating import caveats, overrating

from .conftest import Published


def test_published_coefficients_and_errors(
    published: Callable[[str], Published], golden: dict[str, Any]
) -> None:
    found = published("cnndm")
    rated, names = found.rated, [*found.metrics, "ensemble"]
    z = np.column_stack([z_score(rated[n].to_numpy()) for n in names])
    x = design((rated["SYS"] != "Human-H").to_numpy(), [rated["human_score"].to_numpy()])
    items, systems = rated["set_id"].to_numpy(), rated["SYS"].to_numpy()
    for name, effect in zip(names, random_intercept(x, z, items)):
        wanted = golden["cnndm"]["lmm_random_intercept_instance"][name]
        assert effect.value == pytest.approx(wanted["beta"], abs=1e-6), name
        assert effect.se == pytest.approx(wanted["se"], abs=1e-6), name
        assert effect.instance_variance == pytest.approx(wanted["var_u"], abs=1e-5)
        assert effect.error_variance == pytest.approx(wanted["var_e"], abs=1e-5)
    both = dict(zip(names, crossed(x, z, items, systems)))
    for name, wanted in golden["cnndm"]["lmm_crossed_instance_system"].items():
        assert both[name].value == pytest.approx(wanted["beta"], abs=1e-5)
        assert both[name].se == pytest.approx(wanted["se"], abs=1e-5)


def world(
    seed: int, systems: int = 7, items: int = 25, kept: float = 0.8
) -> tuple[np.ndarray, ...]:
    """An unbalanced crossed design: x [N, 3], y [N], instance [N], system [N]."""
    rng = np.random.default_rng(seed)
    system, item = np.nonzero(rng.random((systems, items)) < kept)
    quality = rng.normal(size=len(system))
    y = (
        0.5 * (system > 0)
        + 0.3 * quality
        + rng.normal(size=systems)[system] * 0.4
        + rng.normal(size=items)[item] * 0.7
        + rng.normal(size=len(system)) * 0.6
    )
    return design(system > 0, [quality]), y, item, system


def dense(x: np.ndarray, y: np.ndarray, factors: list[np.ndarray]) -> tuple[float, float]:
    """The coefficient and its error by REML with V written out in full."""
    kernels = [(f[:, None] == f[None, :]).astype(float) for f in factors]
    free = len(y) - x.shape[1]

    def solve(logs: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        v = np.eye(len(y)) + sum(np.exp(t) * k for t, k in zip(logs, kernels))
        factor = cho_factor(v, lower=True)
        xvx = x.T @ cho_solve(factor, x)
        beta = np.linalg.solve(xvx, x.T @ cho_solve(factor, y))
        residual = y - x @ beta
        rss = residual @ cho_solve(factor, residual)
        deviance = (
            free * np.log(rss / free)
            + 2 * np.log(np.diag(factor[0])).sum()
            + np.linalg.slogdet(xvx)[1]
        )
        return deviance, beta, np.sqrt(np.diag(np.linalg.inv(xvx)) * rss / free)

    best = minimize(lambda t: solve(t)[0], np.zeros(len(factors)), method="Nelder-Mead",
                    options={"xatol": 1e-6, "fatol": 1e-10})  # fmt: skip
    _, beta, se = solve(best.x)
    return float(beta[1]), float(se[1])


@pytest.mark.parametrize("seed", [0, 1])
def test_profiled_fit_equals_the_dense_likelihood(seed: int) -> None:
    x, y, item, system = world(seed)
    one = random_intercept(x, y[:, None], item)[0]
    two = crossed(x, y[:, None], item, system)[0]
    assert (one.value, one.se) == pytest.approx(dense(x, y, [item]), abs=1e-4)
    assert (two.value, two.se) == pytest.approx(dense(x, y, [item, system]), abs=1e-4)


def test_without_group_variance_the_fit_is_ordinary_least_squares() -> None:
    rng = np.random.default_rng(4)
    x, _, item, _ = world(4)
    y = x @ [0.0, 1.0, 2.0] + 0.1 * rng.normal(size=len(x))
    for group in np.unique(item):  # no variance between groups at all
        y[item == group] -= (y - x @ [0.0, 1.0, 2.0])[item == group].mean()
    beta = np.linalg.lstsq(x, y, rcond=None)[0][1]
    assert random_intercept(x, y[:, None], item)[0].value == pytest.approx(beta, abs=1e-4)


def test_sixteen_thousand_rows_take_a_blink() -> None:
    rng = np.random.default_rng(0)
    item = np.repeat(np.arange(2000), 8)
    x = design(np.tile(np.arange(8) > 0, 2000), [rng.normal(size=16000)])
    began = time.monotonic()
    random_intercept(x, rng.normal(size=(16000, 1)), item)
    assert time.monotonic() - began < 5.0  # 0.1 s on a quiet core; 48 s in statsmodels


def test_design_leaves_out_what_other_columns_determine() -> None:
    machine = np.array([True, True, False, False])
    assert design(machine, [np.ones(4), machine * 3.0, np.arange(4.0)]).shape == (4, 3)


def board(systems: int = 6, items: int = 30) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(8)
    human = np.arange(systems) == systems - 1
    quality = rng.normal(size=(systems, items)) + human[:, None]
    metric = quality + 1.5 * ~human[:, None] + 0.3 * rng.normal(size=quality.shape)
    return metric, quality, human


def test_overrating_is_found_and_the_crossed_error_is_the_wider() -> None:
    metric, quality, human = board()
    found = overrating({"m": metric, "flat": np.ones_like(metric)}, quality, human, metric)
    assert found[0].by_instance is not None
    assert found[0].crossed is not None
    assert found[0].by_instance.low > 0.5
    assert found[0].crossed.se > found[0].by_instance.se
    assert found[0].length_held is None  # the metric is the length itself
    assert found[1].by_instance is None
    assert found[1].reason == "the metric is constant on the rated texts"
    assert "one human system" in caveats(quality, human)[0]


def test_nothing_is_claimed_without_rated_human_text() -> None:
    metric, quality, human = board()
    quality[human] = np.nan
    assert overrating({"m": metric}, quality, human, None)[0].reason == (
        "no rated text was written by a person"
    )
    assert caveats(quality, human) == []
    metric, quality, human = board(2)
    assert "fewer than 3" in overrating({"m": metric}, quality, human, None)[0].reason


def test_quality_that_equals_being_human_is_left_out_and_told() -> None:
    metric, quality, human = board()
    quality[:] = human[:, None] * 1.0
    found = overrating({"m": metric}, quality, human, None)[0]
    assert found.by_instance is not None
    assert any("left out of the model" in c for c in caveats(quality, human))
