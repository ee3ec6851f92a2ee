"""Learning-rate schedules: how each step's rate stands to the peak, by steps or by tokens.

Pure functions of how far training is. A schedule by tokens differs from one by steps where batches
change in size, and where its length is given in tokens that no whole number of steps makes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from olmeda.base.config import Config
from olmeda.base.errors import ConfigError
from olmeda.train.duration import Duration, Position

Factor = Callable[[int], float]
"""The factor on every peak learning rate for the step with this number, counted from 0."""


@dataclass(frozen=True)
class Course:
    """The way a schedule follows, in steps or in tokens: how long, and how long it warms up.

    ``begin(step)``: how far training is before the step; ``floor``: where the warm-up begins.
    """

    total: float
    warmup: float
    begin: Callable[[int], float] = float
    floor: float = 0.0

    def follow(self, shape: Callable[[float], float]) -> Factor:
        """Warm up, then follow ``shape``, whose share would reach 1 just after the last step.

        So no step is spent at a rate of exactly the end of ``shape``, which may be 0.
        """
        length = max(self.total - self.warmup, 1)

        def factor(step: int) -> float:
            at = self.begin(step)
            if at < self.warmup:
                return self.floor + (1 - self.floor) * warm_up(self.begin(step + 1), self.warmup)
            return shape(min((at - self.warmup) / length, 1.0))

        return factor


def warm_up(after: float, warmup: float) -> float:
    """Rise in equal parts, as far as training is after the step: ``after / warmup``, at most 1."""
    return min(after / warmup, 1.0)


def cosine(share: float, final: float) -> float:
    """Half a cosine wave from 1 at ``share`` 0 to ``final`` at 1 (Loshchilov & Hutter 2017)."""
    return final + (1 - final) * 0.5 * (1 + math.cos(math.pi * share))


def linear(share: float, final: float) -> float:
    """A straight line from 1 at ``share`` 0 to ``final`` at 1."""
    return 1 - (1 - final) * share


def one_less_sqrt(share: float, final: float) -> float:
    """``1 - sqrt(share)``, steep at first, from 1 to ``final`` (Hägele et al. 2024)."""
    return 1 - (1 - final) * math.sqrt(share)


FALLS = {"linear": linear, "sqrt": one_less_sqrt, "cosine": cosine}
"""The ways in which a stable rate falls in the end."""


def warmup_stable_decay(
    share: float, decay: float, final: float, fall: Callable[[float, float], float] = linear
) -> float:
    """1 until the last ``decay`` of the run, then down to ``final`` (Hu et al. 2024)."""
    begins = 1 - decay
    return 1.0 if share <= begins else fall((share - begins) / decay, final)


class ScheduleConfig(Config, frozen=True):
    """What all schedules share: what they count by, and how long they are."""

    by: Literal["steps", "tokens"] = "steps"
    """What the schedule counts; the two differ where the batch size changes."""
    over: Duration | None = None
    """The schedule's own length, warm-up included; absent: that of the run."""
    warmup_from: Annotated[float, Field(ge=0, le=1)] = 0.0
    """The share of the peak at which warm-up begins."""

    def factor(self, until: int, warmup: Duration, after: Callable[[int], Position]) -> Factor:
        """The factor for each of ``until`` steps; ``after``: where training is after so many."""
        by = self.by
        total = float(until) if by == "steps" else after(until).of(by)
        if self.over is not None:
            total = self.over.measured_in(by, after)
        warm = min(warmup.measured_in(by, after), total)
        begin = float if by == "steps" else lambda n: after(n).of(by)
        return self.along(Course(total, warm, begin, self.warmup_from))

    def along(self, course: Course) -> Factor:
        """The factor along a course."""
        raise NotImplementedError


class Cosine(ScheduleConfig, frozen=True):
    """Cosine from the peak to ``final`` of it; OLMo's models end at 0.1."""

    kind: Literal["cosine"] = "cosine"
    final: Annotated[float, Field(ge=0, le=1)] = 0.1

    def along(self, course: Course) -> Factor:
        """The factor along a course."""
        return course.follow(lambda share: cosine(share, self.final))


class Linear(ScheduleConfig, frozen=True):
    """A straight line from the peak to ``final`` of it; annealing stages end at 0."""

    kind: Literal["linear"] = "linear"
    final: Annotated[float, Field(ge=0, le=1)] = 0.0

    def along(self, course: Course) -> Factor:
        """The factor along a course."""
        return course.follow(lambda share: linear(share, self.final))


class WarmupStableDecay(ScheduleConfig, frozen=True):
    """Stay at the peak, then fall to ``final`` of it over the last ``decay`` of the run.

    ``decay`` is a share of what comes after the warm-up.
    """

    kind: Literal["wsd"] = "wsd"
    decay: Annotated[float, Field(gt=0, le=1)] = 0.2
    fall: Literal["linear", "sqrt", "cosine"] = "linear"
    final: Annotated[float, Field(ge=0, le=1)] = 0.0

    def along(self, course: Course) -> Factor:
        """The factor along a course."""
        fall = FALLS[self.fall]
        return course.follow(lambda share: warmup_stable_decay(share, self.decay, self.final, fall))


class InverseSqrt(ScheduleConfig, frozen=True):
    """``sqrt(warmup / n)`` after ``n`` steps or tokens: needs no end (Vaswani et al. 2017)."""

    kind: Literal["inverse_sqrt"] = "inverse_sqrt"

    def along(self, course: Course) -> Factor:
        """The factor along a course. Raises ConfigError without a warm-up."""
        if not course.warmup:
            raise ConfigError(
                "loop.schedule: inverse_sqrt falls from the end of the warm-up on and needs one; "
                "say loop.warmup"
            )
        rising = course.follow(lambda share: 1.0)
        return lambda step: (
            rising(step) * math.sqrt(course.warmup / max(course.begin(step), course.warmup))
        )


class Constant(ScheduleConfig, frozen=True):
    """The peak throughout, after warm-up."""

    kind: Literal["constant"] = "constant"

    def along(self, course: Course) -> Factor:
        """The factor along a course."""
        return course.follow(lambda share: 1.0)


Schedule = Annotated[
    Cosine | Linear | WarmupStableDecay | InverseSqrt | Constant, Field(discriminator="kind")
]
