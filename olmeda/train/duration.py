"""How long, and how often: a number with its unit, so that steps are never mistaken for tokens."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, model_validator

Unit = Literal["steps", "tokens", "epochs"]
UNITS: tuple[Unit, ...] = ("steps", "tokens", "epochs")


@dataclass(frozen=True)
class Position:
    """How far training is: optimiser steps done, tokens seen, passes over the data."""

    steps: int
    tokens: int
    epochs: float

    def of(self, unit: Unit) -> float:
        """The position in one unit."""
        return {"steps": self.steps, "tokens": self.tokens, "epochs": self.epochs}[unit]


class Duration(BaseModel, frozen=True, extra="forbid"):
    """An amount of training. In a recipe: ``40`` (steps), ``{tokens: 2e9}`` or ``{epochs: 2}``.

    ``ends``: used as a rhythm, also due before the first step and after the last one.
    """

    amount: float
    unit: Unit = "steps"
    ends: bool = False

    @model_validator(mode="before")
    @classmethod
    def _read(cls, value: Any) -> Any:
        if isinstance(value, (int, float, str)):
            return {"amount": value}
        if isinstance(value, Mapping) and "amount" not in value:
            named = [unit for unit in UNITS if unit in value]
            if len(named) == 1:
                rest = {k: v for k, v in value.items() if k != named[0]}
                return {**rest, "amount": value[named[0]], "unit": named[0]}
            raise ValueError("a duration is a number of steps, {tokens: N} or {epochs: N}")
        return value

    @model_validator(mode="after")
    def _not_negative(self) -> Duration:
        if not (self.amount >= 0 and math.isfinite(self.amount)):
            raise ValueError(f"a duration cannot be {self.amount}")
        return self

    @classmethod
    def steps(cls, amount: float, ends: bool = False) -> Duration:
        """So many optimiser steps."""
        return cls(amount=amount, unit="steps", ends=ends)

    @classmethod
    def tokens(cls, amount: float, ends: bool = False) -> Duration:
        """So many tokens."""
        return cls(amount=amount, unit="tokens", ends=ends)

    @classmethod
    def epochs(cls, amount: float, ends: bool = False) -> Duration:
        """So many passes over the data."""
        return cls(amount=amount, unit="epochs", ends=ends)

    def in_steps(self, after: Callable[[int], Position]) -> int:
        """The nearest whole number of steps, at least 1 for any positive amount.

        ``after(steps)``: where training is after so many steps; it never goes back.
        """
        if self.amount == 0:
            return 0
        below, above = 0, 1
        while after(above).of(self.unit) <= self.amount:
            below, above = above, 2 * above
        while above - below > 1:
            middle = (below + above) // 2
            reached = after(middle).of(self.unit) <= self.amount
            below, above = (middle, above) if reached else (below, middle)
        low, high = after(below).of(self.unit), after(above).of(self.unit)
        return max(below + ((self.amount - low) * 2 >= high - low), 1)

    def measured_in(self, unit: Unit, after: Callable[[int], Position]) -> float:
        """The amount in another unit, to the nearest step."""
        return self.amount if unit == self.unit else after(self.in_steps(after)).of(unit)

    def due(self, before: Position | None, now: Position, last: bool) -> bool:
        """Whether a multiple of this duration was passed between ``before`` and ``now``.

        ``before`` is None at the very start; ``last`` tells that training ends ``now``.
        """
        if before is None or last:
            return self.ends or (last and self._passed(before, now))
        return self._passed(before, now)

    def _passed(self, before: Position | None, now: Position) -> bool:
        if before is None or self.amount == 0:
            return False
        reached = math.floor(now.of(self.unit) / self.amount)
        return reached > math.floor(before.of(self.unit) / self.amount)
