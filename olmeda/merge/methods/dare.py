"""DARE: drop random entries and rescale the rest (Yu et al. 2023)."""

from __future__ import annotations

from typing import Literal

import numpy as np

from olmeda.base.errors import ConfigError
from olmeda.merge.methods.linear import weighted_sum
from olmeda.merge.methods.ties import agreeing, elect_sign
from olmeda.merge.registries import merge_method

Rescale = Literal["l1", "1/p", "none"]


@merge_method("dare")
def dare(
    deltas: list[np.ndarray],
    *,
    weights: list[float],
    density: float = 0.5,
    rescale: Rescale = "1/p",
    scale: float = 1.0,
    seed: int = 0,
) -> np.ndarray:
    """Keep each entry with probability ``density``, rescale, and add up the weighted deltas.

    ``rescale``: ``1/p`` divides by the density (the paper), ``l1`` restores the tensor's L1 norm
    (mergekit).
    """
    kept = dropped_out(deltas, density, rescale, seed)
    return weighted_sum(kept, weights) * scale


@merge_method("dare_ties")
def dare_ties(
    deltas: list[np.ndarray],
    *,
    weights: list[float],
    density: float = 0.5,
    rescale: Rescale = "1/p",
    scale: float = 1.0,
    normalize: bool = False,
    seed: int = 0,
) -> np.ndarray:
    """Drop and rescale as DARE does, then combine the entries that agree in sign as TIES does."""
    kept = dropped_out(deltas, density, rescale, seed)
    weighted = [np.multiply(d, w) for d, w in zip(kept, weights, strict=True)]
    return agreeing(weighted, weights, elect_sign(weighted), normalize) * scale


def dropped_out(
    deltas: list[np.ndarray], density: float, rescale: Rescale, seed: int
) -> list[np.ndarray]:
    """Each delta with entries kept at random, rescaled; the i-th draws from stream i of ``seed``.

    Raises ConfigError unless 0 < density <= 1.
    """
    if not 0 < density <= 1:
        raise ConfigError(f"density: {density} is not in (0, 1]")
    if density == 1:
        return deltas
    return [
        _rescaled(delta, np.where(_mask(delta.shape, density, seed, i), delta, 0), density, rescale)
        for i, delta in enumerate(deltas)
    ]


def _mask(shape: tuple[int, ...], density: float, seed: int, stream: int) -> np.ndarray:
    # Philox is a counter: entry j of stream i depends on (seed, i, j) alone, not on the order of
    # tensors, threads or shards.
    counter = np.random.Philox(key=seed, counter=[0, 0, 0, stream])
    draws = np.random.Generator(counter).random(shape, dtype=np.float32)
    return draws < np.float32(density)


def _rescaled(delta: np.ndarray, kept: np.ndarray, density: float, rescale: Rescale) -> np.ndarray:
    if rescale == "none":
        return kept
    if rescale == "1/p":
        return kept / density
    before, after = float(np.abs(delta).sum()), float(np.abs(kept).sum())
    return kept * (before / after) if min(before, after) >= 1e-7 else kept
