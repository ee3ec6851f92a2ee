"""Leaving out steps whose loss or gradient is far above those before, as OLMo-core's SkipStepAdamW.

A step is left out when its loss or the norm of its gradient lies more than ``sigmas`` standard
deviations above the mean of the last ``window`` steps: its batch is read, and changes nothing. What
it measured is remembered all the same, so a level that stays is followed and not skipped for ever.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from olmeda.base.config import Config

Skip = Callable[[float, float], bool]
"""``skip(loss, norm of the gradient)``: whether the step is to change nothing."""


class SkipConfig(Config, frozen=True):
    """When a step is left out; the values are those of OLMo-core (6 sigma over 128 steps)."""

    sigmas: Annotated[float, Field(gt=0)] = 6.0
    window: Annotated[int, Field(ge=2)] = 128
    most_without_number: Annotated[int, Field(ge=0)] = 8
    """So many steps in a row without a finite loss or gradient are left out; one more ends it."""

    def build(self) -> SpikeSkipper:
        """The rule, remembering nothing yet."""
        return SpikeSkipper(self.sigmas, self.window, self.most_without_number)


class SpikeSkipper:
    """Remembers the last losses and norms, and tells from them which step to leave out."""

    def __init__(self, sigmas: float, window: int, most_without_number: int) -> None:
        self.sigmas, self.window, self.most_without_number = sigmas, window, most_without_number
        self._recent = torch.zeros(window, 2, dtype=torch.float64)
        self._counts = torch.zeros(2, dtype=torch.int64)

    @property
    def memory(self) -> dict[str, Tensor]:
        """What is remembered, changed in place: to be saved with the state of a run."""
        return {"skip.recent": self._recent, "skip.counts": self._counts}

    def __call__(self, loss: float, norm: float) -> bool:
        """Whether the step is left out; remembers its loss and norm."""
        if not (math.isfinite(loss) and math.isfinite(norm)):
            self._counts[1] += 1
            return int(self._counts[1]) <= self.most_without_number
        self._counts[1] = 0
        measured = torch.tensor([loss, norm], dtype=torch.float64)
        far = self._is_far(measured)
        self._recent[int(self._counts[0]) % self.window] = measured
        self._counts[0] += 1
        return far

    def _is_far(self, measured: Tensor) -> bool:
        held = min(int(self._counts[0]), self.window)
        if held < max(2, self.window // 2):  # too few to know what is usual
            return False
        std, mean = torch.std_mean(self._recent[:held], dim=0)
        return bool((measured - mean > self.sigmas * std).any())
