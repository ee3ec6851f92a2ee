"""Linear: the weighted mean of models (model soups, Wortsman et al. 2022)."""

from __future__ import annotations

import numpy as np

from olmeda.merge.registries import merge_method


@merge_method("linear")
def linear(deltas: list[np.ndarray], *, weights: list[float], normalize: bool = True) -> np.ndarray:
    """Average the models with the given weights.

    ``normalize`` divides by the sum of the weights, which must not be 0.
    """
    merged = weighted_sum(deltas, weights)
    return merged / sum(weights) if normalize else merged


def weighted_sum(deltas: list[np.ndarray], weights: list[float]) -> np.ndarray:
    """``sum_i weights[i] * deltas[i]`` in the order given, in the deltas' float type."""
    total: np.ndarray = np.multiply(deltas[0], weights[0])
    for delta, weight in zip(deltas[1:], weights[1:], strict=True):
        total += np.multiply(delta, weight)
    return total
