"""What adding a skill gives and costs: pure functions from scores by item to choices and intervals.

Shapes: S systems, I items of one family, B bootstrap draws.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from olmeda.artifacts.estimate import DRAWS, Estimate, estimated, resampled_means


class Measured(msgspec.Struct, frozen=True):
    """The mean over families of S systems: ``value_S``, and ``draws_SB`` under resampled items."""

    value_S: np.ndarray
    draws_SB: np.ndarray
    n: int

    def estimate(self, system: int) -> Estimate:
        """The mean of one system with its interval."""
        return estimated(float(self.value_S[system]), self.draws_SB[system], self.n)

    def difference(self, system: int, other: int) -> Estimate:
        """The paired difference ``system - other``: both were resampled by the same items."""
        value = float(self.value_S[system] - self.value_S[other])
        return estimated(value, self.draws_SB[system] - self.draws_SB[other], self.n)


def measure(families: Sequence[np.ndarray], seed: int, draws: int = DRAWS) -> Measured:
    """The unweighted mean over families of the mean over items, with bootstrap draws.

    ``families``: one ``[S, I]`` array each, over the same S systems. Items are resampled within
    each family, the same items for every system.
    """
    values = [values_SI.mean(axis=1) for values_SI in families]
    resampled = [resampled_means(f, seed, number, draws) for number, f in enumerate(families)]
    n = sum(f.shape[1] for f in families)
    return Measured(np.mean(values, axis=0), np.mean(resampled, axis=0), n)


def objective(general_S: np.ndarray, skill_S: np.ndarray, skill_share: float) -> np.ndarray:
    """What the choice of a weight maximises: a weighted mean of general and skill score."""
    mixed: np.ndarray = (1 - skill_share) * general_S + skill_share * skill_S
    return mixed


def best(values: np.ndarray, weights: Sequence[float], among: Sequence[int]) -> int:
    """The system of ``among`` with the largest value; of equals the one with the lowest weight."""
    return min(among, key=lambda i: (-values[i], weights[i]))


def data_weight(skill_tokens: float, general_tokens: float) -> float:
    """The weight by amounts of data, ``|D| / |D_general|``: needs no held-out data.

    Morrison et al. 2024 count examples; with equal epochs trained tokens have the same ratio
    up to the examples' mean lengths.
    """
    return skill_tokens / general_tokens


def nearest_weight(wanted: float, weights: Mapping[int, float]) -> int:
    """The system whose swept weight is nearest to ``wanted``; of two as near the lower weight."""
    # Rounded, because 0.6 - 0.4 is a little less than 0.4 - 0.2 in binary.
    return min(weights, key=lambda i: (round(abs(weights[i] - wanted), 9), weights[i]))
