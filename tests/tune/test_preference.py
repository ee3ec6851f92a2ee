from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from olmeda.tune.preference import (
    IPO,
    LengthNormalised,
    PairLogprobs,
    Preference,
    Sigmoid,
    SimPO,
    averaged,
    bradley_terry_loss,
    ipo_loss,
    sigmoid_loss,
    simpo_loss,
    summed,
)

MARGIN = st.floats(-30, 30)


def pair(chosen: float, rejected: float) -> PairLogprobs:
    return PairLogprobs(torch.tensor([chosen]), torch.tensor([rejected]))


def log_sigmoid(x: float) -> float:
    return -math.log1p(math.exp(-x)) if x > 0 else x - math.log1p(math.exp(x))


@given(MARGIN, st.floats(0.01, 2), st.floats(0, 0.49))
def test_dpo_is_its_formula(margin: float, beta: float, smoothing: float) -> None:
    expected = -(1 - smoothing) * log_sigmoid(beta * margin) - smoothing * log_sigmoid(
        -beta * margin
    )
    found = sigmoid_loss(torch.tensor([margin]), beta, smoothing)
    assert found.item() == pytest.approx(expected, rel=1e-4, abs=1e-6)


@given(MARGIN, st.floats(0.05, 2))
def test_ipo_is_least_at_half_over_beta(margin: float, beta: float) -> None:
    assert ipo_loss(torch.tensor([1 / (2 * beta)]), beta).item() == pytest.approx(0, abs=1e-8)
    expected = (margin - 1 / (2 * beta)) ** 2
    found = ipo_loss(torch.tensor([margin]), beta).item()
    assert found == pytest.approx(expected, rel=1e-4, abs=1e-5)


@given(MARGIN)
def test_simpo_without_a_margin_is_dpo_without_a_reference(margin: float) -> None:
    at = torch.tensor([margin])
    assert torch.equal(simpo_loss(at, 2.0, 0.0), sigmoid_loss(at, 2.0))
    assert simpo_loss(at, 2.0, 1.0) >= simpo_loss(at, 2.0, 0.0)


@given(MARGIN, MARGIN)
def test_bradley_terry_depends_on_the_difference_only(chosen: float, rejected: float) -> None:
    a, b = torch.tensor([chosen]), torch.tensor([rejected])
    found = bradley_terry_loss(a, b)
    assert found.item() == pytest.approx(-log_sigmoid(float(a - b)), rel=1e-4, abs=1e-6)


def test_an_untrained_policy_has_the_loss_of_a_coin() -> None:
    same = pair(-12.5, -7.0)
    for loss in (Sigmoid(), LengthNormalised()):
        assert loss(same, same).item() == pytest.approx(math.log(2))


def test_simpo_does_not_look_at_the_reference() -> None:
    policy = pair(-1.0, -2.0)
    assert torch.equal(SimPO()(policy, pair(0, 0)), SimPO()(policy, pair(-9, 5)))
    assert SimPO()(policy, policy).item() == pytest.approx(-log_sigmoid(2.0 * 1 - 1.0))


def test_sums_and_means_are_over_the_answer_alone() -> None:
    logp = torch.tensor([[0.0, -1.0, -3.0, 0.0], [0.0, 0.0, -2.0, 0.0]])
    counts = torch.tensor([[False, True, True, False], [False, False, True, False]])
    assert summed(logp).tolist() == [-4, -2]
    assert averaged(logp, counts).tolist() == [-2, -2]
    assert Sigmoid().logprobs(logp, counts).tolist() == [-4, -2]
    for loss in (LengthNormalised(), IPO(), SimPO()):
        assert loss.logprobs(logp, counts).tolist() == [-2, -2]


def test_a_recipe_chooses_the_loss_by_kind() -> None:
    read = TypeAdapter(Preference).validate_python
    assert read({"kind": "dpo_norm"}) == LengthNormalised(beta=5)
    assert read({"kind": "ipo", "beta": 0.3}) == IPO(beta=0.3)
