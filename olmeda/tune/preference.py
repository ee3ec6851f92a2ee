"""Preference losses as pure functions of log-probabilities, and the settings that choose them.

Each takes ``margins``: how much more log-probability the policy gives to the chosen answer than
the reference does, less the same for the rejected one (without a reference: the policy's own
difference). Shapes: ``B`` pairs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field
from torch import Tensor
from torch.nn.functional import logsigmoid

from olmeda.base.config import Config


@dataclass(frozen=True)
class PairLogprobs:
    """Log-probabilities in nats of both answers: sums over their tokens, or means, by the loss."""

    chosen_B: Tensor
    rejected_B: Tensor

    def __sub__(self, other: PairLogprobs) -> PairLogprobs:
        return PairLogprobs(self.chosen_B - other.chosen_B, self.rejected_B - other.rejected_B)

    @property
    def margins_B(self) -> Tensor:
        """Chosen less rejected."""
        return self.chosen_B - self.rejected_B


def sigmoid_loss(margins_B: Tensor, beta: float, label_smoothing: float = 0.0) -> Tensor:
    """``-log sigmoid(beta * margin)`` of each pair (DPO, Rafailov et al. 2023).

    ``label_smoothing``: how often a label is taken to be flipped (conservative DPO).
    """
    scaled_B = beta * margins_B
    kept, flipped = 1 - label_smoothing, label_smoothing
    return -kept * logsigmoid(scaled_B) - flipped * logsigmoid(-scaled_B)


def ipo_loss(margins_B: Tensor, beta: float) -> Tensor:
    """``(margin - 1 / (2 beta))^2`` of each pair (IPO, Azar et al. 2023)."""
    return (margins_B - 1 / (2 * beta)).square()


def simpo_loss(margins_B: Tensor, beta: float, gamma: float) -> Tensor:
    """``-log sigmoid(beta * margin - gamma)`` of each pair, no reference (Meng et al. 2024)."""
    return -logsigmoid(beta * margins_B - gamma)


def bradley_terry_loss(chosen_B: Tensor, rejected_B: Tensor) -> Tensor:
    """``-log sigmoid(chosen - rejected)`` of each pair of rewards (Bradley & Terry 1952)."""
    return -logsigmoid(chosen_B - rejected_B)


def summed(logp_BT: Tensor) -> Tensor:
    """Sums over tokens, ``[B]``; places that do not count hold 0."""
    return logp_BT.sum(1)


def averaged(logp_BT: Tensor, counts_BT: Tensor) -> Tensor:
    """Means over the tokens that count, ``[B]``."""
    return logp_BT.sum(1) / counts_BT.sum(1)


class Sigmoid(Config, frozen=True):
    """DPO over summed log-probabilities: long answers weigh more."""

    kind: Literal["sigmoid"] = "sigmoid"
    beta: Annotated[float, Field(gt=0)] = 0.1
    label_smoothing: Annotated[float, Field(ge=0, lt=0.5)] = 0.0

    def logprobs(self, logp_BT: Tensor, counts_BT: Tensor) -> Tensor:
        """Sums."""
        return summed(logp_BT)

    def __call__(self, policy: PairLogprobs, reference: PairLogprobs) -> Tensor:
        """The loss of each pair."""
        return sigmoid_loss((policy - reference).margins_B, self.beta, self.label_smoothing)


class LengthNormalised(Config, frozen=True):
    """DPO over mean log-probabilities, the default of open-instruct; Tulu 3 uses beta 5."""

    kind: Literal["dpo_norm"] = "dpo_norm"
    beta: Annotated[float, Field(gt=0)] = 5.0
    label_smoothing: Annotated[float, Field(ge=0, lt=0.5)] = 0.0

    def logprobs(self, logp_BT: Tensor, counts_BT: Tensor) -> Tensor:
        """Means."""
        return averaged(logp_BT, counts_BT)

    def __call__(self, policy: PairLogprobs, reference: PairLogprobs) -> Tensor:
        """The loss of each pair."""
        return sigmoid_loss((policy - reference).margins_B, self.beta, self.label_smoothing)


class IPO(Config, frozen=True):
    """A squared loss that does not push margins without bound; over means, as TRL has it."""

    kind: Literal["ipo"] = "ipo"
    beta: Annotated[float, Field(gt=0)] = 0.1

    def logprobs(self, logp_BT: Tensor, counts_BT: Tensor) -> Tensor:
        """Means."""
        return averaged(logp_BT, counts_BT)

    def __call__(self, policy: PairLogprobs, reference: PairLogprobs) -> Tensor:
        """The loss of each pair."""
        return ipo_loss((policy - reference).margins_B, self.beta)


class SimPO(Config, frozen=True):
    """No reference, mean log-probabilities, and a margin ``gamma_beta_ratio`` to be kept."""

    kind: Literal["simpo"] = "simpo"
    beta: Annotated[float, Field(gt=0)] = 2.0
    gamma_beta_ratio: Annotated[float, Field(ge=0)] = 0.5

    def logprobs(self, logp_BT: Tensor, counts_BT: Tensor) -> Tensor:
        """Means."""
        return averaged(logp_BT, counts_BT)

    def __call__(self, policy: PairLogprobs, reference: PairLogprobs) -> Tensor:
        """The loss of each pair; the reference is not looked at."""
        return simpo_loss(policy.margins_B, self.beta, self.beta * self.gamma_beta_ratio)


Preference = Annotated[Sigmoid | LengthNormalised | IPO | SimPO, Field(discriminator="kind")]
