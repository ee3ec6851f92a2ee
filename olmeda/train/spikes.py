"""Spikes: steps whose loss or gradient stands far above those just before.

A step's score is how many standard deviations its value lies above the mean of the ``window``
steps before it; from ``sigmas`` on it is a spike. The rate is the share of spikes among the last
``RATE_STEPS`` scored steps. (OLMo-core watches the same two figures.)

Shapes: ``S`` watched measures, ``W`` steps of the window, ``R`` steps of the rate.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from olmeda.train.loop import Moment
from olmeda.train.step import is_finite

WATCHED = ("loss", "grad_norm")
RATE_STEPS = 10_000


class SpikeMeter:
    """Scores every step; a hook for each step. Its ``memory`` is all it knows of earlier ones."""

    def __init__(self, window: int, sigmas: float) -> None:
        self.window, self.sigmas = window, sigmas
        self._past_SW = torch.zeros(len(WATCHED), window, dtype=torch.float64)
        self._spikes_SR = torch.zeros(len(WATCHED), RATE_STEPS, dtype=torch.int8)
        self._seen = torch.zeros((), dtype=torch.int64)

    @property
    def memory(self) -> Mapping[str, Tensor]:
        """The last values, which of the last steps were spikes, and how many were seen."""
        return {
            "spikes.past": self._past_SW,
            "spikes.spikes": self._spikes_SR,
            "spikes.seen": self._seen,
        }

    def score(self, moment: Moment) -> Mapping[str, Any]:
        """``spike/<measure>`` in standard deviations and ``spike_rate/<measure>``.

        Nothing before the first step and while the window fills, and nothing of a step whose loss
        or gradient is no number: it does not enter the window either.
        """
        if "loss" not in moment.measures or not is_finite(moment.measures):
            return {}
        seen = int(self._seen)
        found: dict[str, float] = {}
        for row, name in enumerate(WATCHED):
            value = float(moment.measures[name])
            if seen >= self.window:
                score = sigmas_above(value, self._past_SW[row])
                scored = seen - self.window
                self._spikes_SR[row, scored % RATE_STEPS] = int(score > self.sigmas)
                found[f"spike/{name}"] = round(score, 4)
                found[f"spike_rate/{name}"] = int(self._spikes_SR[row].sum()) / min(
                    scored + 1, RATE_STEPS
                )
            self._past_SW[row, seen % self.window] = value
        self._seen += 1
        return found


def sigmas_above(value: float, past_W: Tensor) -> float:
    """Standard deviations of ``past_W`` by which ``value`` is above its mean; 0 without spread."""
    spread = float(past_W.std(correction=0))
    if not math.isfinite(value) or spread == 0.0:
        return 0.0
    return (value - float(past_W.mean())) / spread
