"""TIES: trim, elect a sign, average those that agree (Yadav et al. 2023)."""

from __future__ import annotations

import numpy as np

from olmeda.base.errors import ConfigError
from olmeda.merge.registries import merge_method


@merge_method("ties")
def ties(
    deltas: list[np.ndarray],
    *,
    weights: list[float],
    density: float = 0.2,
    scale: float = 1.0,
    normalize: bool = True,
) -> np.ndarray:
    """Keep each delta's largest entries, elect a sign per entry, combine those that agree.

    ``density``: share of entries kept, in (0, 1]; 0.2 is the paper's choice. ``normalize`` divides
    each entry by the weights that went into it (mergekit's default too).
    """
    weighted = [np.multiply(trim(d, density), w) for d, w in zip(deltas, weights, strict=True)]
    return agreeing(weighted, weights, elect_sign(weighted), normalize) * scale


def trim(delta: np.ndarray, density: float) -> np.ndarray:
    """``delta`` with all but its ``int(density * size)`` largest magnitudes (at least 1) zeroed.

    Of equal magnitudes at the threshold those with the lowest index stay, so the result does not
    depend on a sorting algorithm. Raises ConfigError unless 0 < density <= 1.
    """
    if not 0 < density <= 1:
        raise ConfigError(f"density: {density} is not in (0, 1]")
    keep = max(1, int(density * delta.size))
    if keep >= delta.size:
        return delta
    size = np.abs(delta).ravel()
    threshold = np.partition(size, delta.size - keep)[delta.size - keep]
    kept = size > threshold
    at_threshold = np.flatnonzero(size == threshold)[: keep - int(kept.sum())]
    kept[at_threshold] = True
    return np.where(kept.reshape(delta.shape), delta, delta.dtype.type(0))


def elect_sign(weighted: list[np.ndarray]) -> np.ndarray:
    """The sign of the sum at each entry, +1 where the sum is 0; dtype of the inputs."""
    total = weighted[0].copy()
    for delta in weighted[1:]:
        total += delta
    return np.where(total < 0, -1, 1).astype(total.dtype)


def agreeing(
    weighted: list[np.ndarray], weights: list[float], sign: np.ndarray, normalize: bool
) -> np.ndarray:
    """The sum of the entries whose sign is ``sign``; with ``normalize`` over their weights."""
    total, shares = np.zeros_like(sign), np.zeros_like(sign)
    for delta, weight in zip(weighted, weights, strict=True):
        agrees = np.sign(delta) == sign
        total += np.where(agrees, delta, 0)
        shares += np.where(agrees, weight, 0)
    if not normalize:
        return total
    return total / np.where(shares == 0, 1, shares)
