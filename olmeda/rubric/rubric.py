"""A rubric is data: dimensions with ranges and steps, stages, and a total as a weighted sum.

Rubrics lie in ``rubrics/*.yaml``, one file each; a session carries a copy of the one it uses.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Self

from pydantic import model_validator

from olmeda.base.config import Config, read_yaml, validated
from olmeda.base.errors import ConfigError, unknown

HOME = Path(__file__).parent / "rubrics"


class Dimension(Config, frozen=True):
    """One thing to rate: a ``scale`` is always answered, a ``penalty`` starts at 0.

    Values run from ``low`` to ``high`` in ``step``s. A penalty other than 0 needs a reason.
    """

    key: str
    name: str
    kind: Literal["scale", "penalty"]
    low: float
    high: float
    step: float
    weight: float = 1.0
    question: str
    anchors: dict[int, str] = {}

    @property
    def choices(self) -> list[float]:
        """Every allowed value, from low to high."""
        steps = round((self.high - self.low) / self.step)
        return [self.exact(round(self.low + i * self.step, 9)) for i in range(steps + 1)]

    def exact(self, value: float) -> float:
        """The allowed value that ``value`` stands for. Raises ConfigError for any other number."""
        steps = round((value - self.low) / self.step) if math.isfinite(value) else -1
        snapped = round(self.low + steps * self.step, 9)
        if not self.low <= snapped <= self.high or abs(snapped - value) > 1e-6:
            raise ConfigError(
                f"{self.name} takes {self.low:g} to {self.high:g} in steps of {self.step:g}, "
                f"not {value:g}"
            )
        return snapped + 0.0  # no negative zero


class Stage(Config, frozen=True):
    """One pass over all texts: what the rater sees beside the text, and which keys are asked."""

    name: str
    shows: list[Literal["prompt", "reference"]]
    asks: list[str]


class Rubric(Config, frozen=True):
    """Dimensions, stages and, by the weights, the total. ``version`` grows with any change."""

    name: str
    version: int
    title: str
    about: str = ""
    dimensions: list[Dimension]
    stages: list[Stage]

    @model_validator(mode="after")
    def _asks_each_dimension_once(self) -> Self:
        asked = [key for stage in self.stages for key in stage.asks]
        if sorted(asked) != sorted(self.keys) or len(set(asked)) != len(asked):
            raise ValueError(f"the stages must ask each of {', '.join(self.keys)} exactly once")
        return self

    @property
    def keys(self) -> list[str]:
        return [d.key for d in self.dimensions]

    @property
    def formula(self) -> str:
        """The total, as a person would write it: ``0.5·P + 0.5·R + Fl``."""
        return " + ".join(
            d.key if d.weight == 1 else f"{d.weight:g}·{d.key}" for d in self.dimensions
        )

    def dimension(self, key: str) -> Dimension:
        """The dimension called ``key``. Raises ConfigError listing the nearest keys."""
        for dimension in self.dimensions:
            if dimension.key == key:
                return dimension
        raise ConfigError(unknown("dimension", key, self.keys))

    def stage(self, name: str) -> Stage:
        """The stage called ``name``. Raises ConfigError listing the nearest names."""
        for stage in self.stages:
            if stage.name == name:
                return stage
        raise ConfigError(unknown("stage", name, [s.name for s in self.stages]))

    def total(self, values: Mapping[str, float]) -> float:
        """The weighted sum over all dimensions, added up in the order of the rubric."""
        total = 0.0
        for dimension in self.dimensions:
            total += dimension.weight * values[dimension.key]
        return total


def check_answer(
    stage: Stage, rubric: Rubric, values: Mapping[str, float], reasons: Mapping[str, str]
) -> dict[str, float]:
    """The given values of one stage, snapped to their steps; some may still be missing.

    Raises ConfigError for a key the stage does not ask, a value outside its range or between
    steps, and a penalty without a reason.
    """
    exact: dict[str, float] = {}
    for key in (k for k in values if k not in stage.asks):
        raise ConfigError(unknown(f"dimension in the {stage.name} pass", key, stage.asks))
    for key in stage.asks:
        if key not in values:
            continue
        dimension = rubric.dimension(key)
        exact[key] = dimension.exact(values[key])
        if dimension.kind == "penalty" and exact[key] != 0 and not reasons.get(key, "").strip():
            raise ConfigError(f"{dimension.name}: say in a word why {exact[key]:g} is taken off")
    return exact


def load_rubric(name: str) -> Rubric:
    """One of the rubrics that come with the package. Raises ConfigError listing them."""
    known = sorted(p.stem for p in HOME.glob("*.yaml"))
    if name not in known:
        raise ConfigError(unknown("rubric", name, known))
    return read_rubric(HOME / f"{name}.yaml")


def read_rubric(file: Path) -> Rubric:
    """The rubric in a YAML file. Raises ConfigError naming the file and each fault."""
    return validated(Rubric, read_yaml(file), str(file))
