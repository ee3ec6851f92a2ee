from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from olmeda.merge.contest import Contest, Way, as_text, judge
from olmeda.merge.tradeoff import best, data_weight, measure, nearest_weight, objective


def test_score_is_the_unweighted_mean_over_families() -> None:
    short, long = np.array([[1.0, 1.0]]), np.array([[0.0] * 10])
    found = measure([short, long], seed=0)
    assert found.value_S.tolist() == [0.5]
    assert found.n == 12


def test_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    draws = np.random.default_rng(1)
    covered = 0
    for seed in range(100):
        estimate = measure([draws.random((1, 60))], seed).estimate(0)
        covered += estimate.low <= 0.5 <= estimate.high
    assert 88 <= covered <= 100


def test_bootstrap_agrees_with_scipy_on_the_standard_error() -> None:
    from scipy.stats import sem

    values = np.random.default_rng(0).random((1, 200))
    found = measure([values], seed=3, draws=4000)
    assert np.isclose(found.draws_SB[0].std(), sem(values[0]), rtol=0.05)


def test_difference_of_equal_systems_is_exactly_zero() -> None:
    values = np.random.default_rng(0).random((1, 30))
    found = measure([np.vstack([values, values])], seed=0).difference(0, 1)
    assert (found.value, found.low, found.high) == (0.0, 0.0, 0.0)


@given(st.integers(0, 1000))
def test_same_seed_gives_the_same_draws(seed: int) -> None:
    values = np.arange(12.0).reshape(2, 6)
    first, second = measure([values], seed, 20), measure([values], seed, 20)
    assert np.array_equal(first.draws_SB, second.draws_SB)


def test_equal_weights_are_settled_by_the_lower_weight() -> None:
    assert best(np.array([0.5, 0.7, 0.7]), [0.1, 0.9, 0.3], [0, 1, 2]) == 2
    assert nearest_weight(0.5, {0: 0.6, 1: 0.4, 2: 0.9}) == 1


def test_weight_by_amounts_of_data_is_their_ratio() -> None:
    assert data_weight(22, 100) == 0.22
    assert objective(np.array([0.4]), np.array([0.8]), 0.25).tolist() == [0.5]


def contest(choose: list[float], report: list[float], data: float | None) -> Contest:
    """Skill means of general, w=0.2, w=0.6 on both splits; the general score is 1 throughout."""
    ways = [Way("general", "general", 0.0)] + [
        Way("merged", f"s-{w:.2f}", 500.0, w) for w in (0.2, 0.6)
    ]
    ones = [np.ones((3, 8))]
    shaped = [[np.repeat([[v] for v in values], 8, axis=1)] for values in (choose, report)]
    return Contest(ways, ones, shaped[0], ones, shaped[1], 0.5, data, seed=0)


def test_weight_is_chosen_on_one_split_and_regretted_on_the_other() -> None:
    found = judge(contest([0.1, 0.7, 0.6], [0.1, 0.5, 0.9], data=0.55))
    assert (found.chosen.system, found.chosen.weight) == ("s-0.20", 0.2)
    assert np.isclose(found.chosen.objective, 0.75)
    assert np.isclose(found.chosen.regret.value, 0.2)
    assert found.heuristic is not None
    assert (found.heuristic.weight, found.heuristic.regret.value) == (0.6, 0.0)
    flags = [(p.chosen, p.best, p.heuristic) for p in found.points]
    assert flags == [(False, False, False), (True, False, False), (False, True, True)]
    assert [d.against for d in found.differences] == ["general"]
    assert np.isclose(found.differences[0].skill.value, 0.4)


def test_without_token_counts_there_is_no_heuristic() -> None:
    found = judge(contest([0.1, 0.2, 0.3], [0.1, 0.2, 0.3], data=None))
    assert found.heuristic is None
    assert found.chosen.regret.value == 0


def test_table_shows_the_chosen_merge_alone() -> None:
    text = as_text("s", judge(contest([0.1, 0.2, 0.3], [0.1, 0.2, 0.3], data=None)))
    assert len(text.splitlines()) == 3
    assert text.splitlines()[2].split() == ["merged", "0.60", "1.000", "0.300", "500"]
