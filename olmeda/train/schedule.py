"""Learning-rate schedules as pure functions of the step; each gives a factor between 0 and 1."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Annotated, Literal

from pydantic import Field

from olmeda.base.config import Config

Factor = Callable[[int], float]
"""The factor on every peak learning rate for the step with this number, counted from 0."""


def warm_up(step: int, warmup: int) -> float:
    """Rise in equal parts: ``(step + 1) / warmup`` during warm-up, then 1."""
    return 1.0 if step >= warmup else (step + 1) / warmup


def cosine(share: float, final: float) -> float:
    """Half a cosine wave from 1 at ``share`` 0 to ``final`` at 1 (Loshchilov & Hutter 2017)."""
    return final + (1 - final) * 0.5 * (1 + math.cos(math.pi * share))


def linear(share: float, final: float) -> float:
    """A straight line from 1 at ``share`` 0 to ``final`` at 1."""
    return 1 - (1 - final) * share


def warmup_stable_decay(share: float, decay: float, final: float) -> float:
    """1 until the last ``decay`` of the run, then a straight line to ``final`` (Hu et al. 2024)."""
    begins = 1 - decay
    return 1.0 if share <= begins else linear((share - begins) / decay, final)


def _after_warmup(shape: Callable[[float], float], total: int, warmup: int) -> Factor:
    """Warm up, then follow ``shape``, whose share would reach 1 just after the last step.

    So no step is spent at a rate of exactly ``final``, which may be 0.
    """
    length = max(total - warmup, 1)

    def factor(step: int) -> float:
        if step < warmup:
            return warm_up(step, warmup)
        return shape(min((step - warmup) / length, 1.0))

    return factor


class Cosine(Config, frozen=True):
    """Cosine from the peak to ``final`` of it; OLMo's models end at 0.1."""

    kind: Literal["cosine"] = "cosine"
    final: Annotated[float, Field(ge=0, le=1)] = 0.1

    def build(self, total: int, warmup: int) -> Factor:
        """The factor over ``total`` steps of which ``warmup`` warm up."""
        return _after_warmup(lambda share: cosine(share, self.final), total, warmup)


class Linear(Config, frozen=True):
    """A straight line from the peak to ``final`` of it; annealing stages end at 0."""

    kind: Literal["linear"] = "linear"
    final: Annotated[float, Field(ge=0, le=1)] = 0.0

    def build(self, total: int, warmup: int) -> Factor:
        """The factor over ``total`` steps of which ``warmup`` warm up."""
        return _after_warmup(lambda share: linear(share, self.final), total, warmup)


class WarmupStableDecay(Config, frozen=True):
    """Stay at the peak, then fall in a straight line over the last ``decay`` of the run."""

    kind: Literal["wsd"] = "wsd"
    decay: Annotated[float, Field(gt=0, le=1)] = 0.2
    final: Annotated[float, Field(ge=0, le=1)] = 0.0

    def build(self, total: int, warmup: int) -> Factor:
        """The factor over ``total`` steps of which ``warmup`` warm up."""
        return _after_warmup(
            lambda share: warmup_stable_decay(share, self.decay, self.final), total, warmup
        )


class Constant(Config, frozen=True):
    """The peak throughout, after warm-up."""

    kind: Literal["constant"] = "constant"

    def build(self, total: int, warmup: int) -> Factor:
        """The factor over ``total`` steps of which ``warmup`` warm up."""
        return lambda step: warm_up(step, warmup)


Schedule = Annotated[Cosine | Linear | WarmupStableDecay | Constant, Field(discriminator="kind")]
