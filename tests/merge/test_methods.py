from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from olmeda.base.errors import ConfigError
from olmeda.merge.methods.dare import dare, dare_ties, dropped_out
from olmeda.merge.methods.linear import linear
from olmeda.merge.methods.slerp import arc, slerp
from olmeda.merge.methods.task_arithmetic import task_arithmetic
from olmeda.merge.methods.ties import elect_sign, ties, trim
from olmeda.merge.registries import merge_method

SHAPE = (3, 5)
deltas = st.lists(
    arrays(np.float64, SHAPE, elements=st.floats(-4, 4, width=16)), min_size=1, max_size=4
)
AVERAGING = ["linear", "ties"]


@pytest.mark.parametrize("name", AVERAGING)
@given(arrays(np.float64, SHAPE, elements=st.floats(-4, 4, width=16)), st.integers(1, 4))
def test_merging_a_model_with_itself_changes_nothing(
    name: str, delta: np.ndarray, copies: int
) -> None:
    params = {"density": 1.0} if name == "ties" else {}
    method = merge_method.bind({"name": name, "weights": [1.0] * copies, **params})
    assert np.allclose(method([delta] * copies), delta)


@pytest.mark.parametrize("name", ["linear", "ties", "task_arithmetic"])
@given(deltas, st.randoms(use_true_random=False))
def test_order_of_models_does_not_matter(
    name: str, models: list[np.ndarray], order: object
) -> None:
    places = list(range(len(models)))
    order.shuffle(places)  # type: ignore[attr-defined]
    weights = [0.5 + i for i in places]
    method = merge_method.bind({"name": name, "weights": sorted(weights)})
    shuffled = merge_method.bind({"name": name, "weights": weights})
    assert np.allclose(method(models), shuffled([models[i] for i in places]))


@given(deltas)
def test_ties_at_density_one_equals_the_average_where_signs_agree(models: list[np.ndarray]) -> None:
    same = [np.abs(m) + 1 for m in models]
    weights = [1.0] * len(same)
    assert np.allclose(ties(same, weights=weights, density=1.0), linear(same, weights=weights))


@given(deltas)
def test_dare_at_density_one_is_task_arithmetic(models: list[np.ndarray]) -> None:
    weights = [0.3] * len(models)
    expected = task_arithmetic(models, weights=weights)
    assert np.array_equal(dare(models, weights=weights, density=1.0), expected)


@settings(max_examples=30)
@given(
    arrays(np.float32, 40, elements=st.sampled_from([-2.0, -1.0, 0.0, 1.0, 2.0])),
    st.floats(0.01, 1.0),
)
def test_trim_keeps_the_stated_number_and_the_lowest_index_of_equals(
    delta: np.ndarray, density: float
) -> None:
    keep = max(1, int(density * delta.size))
    order = sorted(range(delta.size), key=lambda i: (-abs(delta[i]), i))[:keep]
    expected = np.zeros_like(delta)
    expected[order] = delta[order]
    assert np.array_equal(trim(delta, density), expected)


def test_ties_on_one_line() -> None:
    first, second = np.array([3.0, -1.0, 0.5, 2.0]), np.array([1.0, 4.0, -0.5, 0.0])
    # trimmed to two each: [3, 0, 0, 2], [1, 4, 0, 0]; all elected signs are +
    found = ties([first, second], weights=[1.0, 1.0], density=0.5)
    assert found.tolist() == [2.0, 4.0, 0.0, 2.0]
    summed = ties([first, second], weights=[1.0, 0.5], density=0.5, normalize=False, scale=2.0)
    assert summed.tolist() == [7.0, 4.0, 0.0, 4.0]


def test_sign_of_a_zero_sum_is_plus() -> None:
    assert elect_sign([np.array([1.0, -1.0]), np.array([-1.0, -2.0])]).tolist() == [1.0, -1.0]


def test_dare_rescales_to_the_paper_or_to_the_norm() -> None:
    delta = np.random.default_rng(0).standard_normal(20_000).astype(np.float32)
    (plain,) = dropped_out([delta], 0.3, "none", seed=5)
    (paper,) = dropped_out([delta], 0.3, "1/p", seed=5)
    (norm,) = dropped_out([delta], 0.3, "l1", seed=5)
    assert abs((plain != 0).mean() - 0.3) < 0.01
    assert np.allclose(paper, plain / 0.3)
    assert np.isclose(np.abs(norm).sum(), np.abs(delta).sum(), rtol=1e-5)


def test_dare_draws_depend_on_seed_and_place_alone() -> None:
    ones = np.ones(500)
    first, second = dropped_out([ones, ones], 0.5, "none", seed=1)
    again, _ = dropped_out([ones, 2 * ones], 0.5, "none", seed=1)
    (other,) = dropped_out([ones], 0.5, "none", seed=2)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, second)
    assert not np.array_equal(first, other)


def test_dare_ties_drops_the_losing_sign() -> None:
    found = dare_ties([np.array([3.0]), np.array([-1.0])], weights=[1.0, 1.0], density=1.0)
    assert found.tolist() == [3.0]


@given(st.floats(0.05, 0.95))
def test_slerp_stays_on_the_sphere(way: float) -> None:
    first, second = np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]])
    found = slerp([first, second], weights=[1 - way, way])
    assert np.isclose(np.linalg.norm(found), 1.0)
    assert np.allclose(found, [[np.cos(way * np.pi / 2), np.sin(way * np.pi / 2)]])


def test_slerp_of_nearly_parallel_or_empty_vectors_is_a_line() -> None:
    vector = np.array([1.0, 2.0])
    assert np.allclose(arc(vector, 3 * vector, 0.25), 1.5 * vector)
    assert np.allclose(arc(np.zeros(2), vector, 0.25), 0.25 * vector)


@pytest.mark.parametrize("name", merge_method.names())
def test_every_method_keeps_shape_and_type(name: str) -> None:
    models = list(np.random.default_rng(0).standard_normal((2, 4, 6)).astype(np.float32))
    method = merge_method.bind({"name": name, "weights": [0.5, 0.5]})
    merged = method(models)
    assert merged.shape == (4, 6)
    assert merged.dtype == np.float32
    assert np.isfinite(merged).all()
    unchanged = np.random.default_rng(0).standard_normal((2, 4, 6)).astype(np.float32)
    assert np.array_equal(np.stack(models), unchanged)


@pytest.mark.parametrize("density", [0.0, -1.0, 1.5, float("nan")])
def test_density_outside_its_range_is_refused(density: float) -> None:
    with pytest.raises(ConfigError, match="density"):
        trim(np.ones(3), density)
    with pytest.raises(ConfigError, match="density"):
        dare([np.ones(3)], weights=[1.0], density=density)


def test_slerp_of_three_models_is_refused() -> None:
    with pytest.raises(ConfigError, match="two models, not 3"):
        slerp([np.ones(2)] * 3, weights=[1.0, 1.0, 1.0])
