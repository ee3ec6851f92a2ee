"""Offline ensembles: several reward models' scores of the same pairs, combined."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Literal, get_args

import numpy as np

from olmeda.reward.sections import right

Mode = Literal["mean", "worst", "uncertainty"]
"""``worst`` is the minimum, ``uncertainty`` the mean minus the population standard deviation."""


def standardised(chosen_MI: np.ndarray, rejected_MI: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Scores of M models on I pairs as z-scores, each model over its chosen and rejected together.

    The standard deviation is the population's; a model that gives one score to all stays at 0.
    """
    both = np.concatenate([chosen_MI, rejected_MI], axis=1)
    mean, spread = both.mean(axis=1, keepdims=True), both.std(axis=1, keepdims=True)
    spread = np.where(spread == 0, 1.0, spread)
    return (chosen_MI - mean) / spread, (rejected_MI - mean) / spread


def combined(scores_MI: np.ndarray, mode: Mode) -> np.ndarray:
    """One score for each item from those of M models."""
    found: np.ndarray
    if mode == "mean":
        found = scores_MI.mean(axis=0)
    elif mode == "worst":
        found = scores_MI.min(axis=0)
    else:
        found = scores_MI.mean(axis=0) - scores_MI.std(axis=0)
    return found


def ensemble_results(
    chosen_MI: np.ndarray, rejected_MI: np.ndarray, mode: Mode, normalize: bool = True
) -> np.ndarray:
    """1 where the ensemble scores the chosen answer strictly higher, else 0."""
    if normalize:
        chosen_MI, rejected_MI = standardised(chosen_MI, rejected_MI)
    return right(combined(chosen_MI, mode), combined(rejected_MI, mode))


def every_ensemble(
    models: Sequence[str], chosen_MI: np.ndarray, rejected_MI: np.ndarray
) -> Iterator[tuple[tuple[str, ...], Mode, float]]:
    """``(models, mode, accuracy)`` of every combination of at least two models, in every mode."""
    places = range(len(models))
    for size in range(2, len(models) + 1):
        for chosen in itertools.combinations(places, size):
            for mode in get_args(Mode):
                found = ensemble_results(chosen_MI[list(chosen)], rejected_MI[list(chosen)], mode)
                yield tuple(models[i] for i in chosen), mode, float(found.mean())
