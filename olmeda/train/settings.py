"""The ``loop`` block of a recipe: how long, how fast and how often, for every kind of training."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from pydantic import Field, model_validator

from olmeda.base.config import IMMATERIAL, Config
from olmeda.train.duration import Duration, Position
from olmeda.train.optim import AdamW, Optim
from olmeda.train.schedule import Cosine, Schedule
from olmeda.train.skip import SkipConfig


class Change(Config, frozen=True):
    """A size in tokens that holds from some point of training on."""

    after: Duration
    tokens: Annotated[int, Field(gt=0)]


class LoopConfig(Config, frozen=True):
    """How a model is trained; exactly one of ``steps``, ``tokens`` and ``epochs`` says how long."""

    steps: Annotated[int, Field(gt=0)] | None = None
    tokens: Annotated[float, Field(gt=0)] | None = None
    epochs: Annotated[float, Field(gt=0)] | None = None
    batch_tokens: Annotated[int, Field(gt=0)] = 8192
    """Tokens of one optimiser step."""
    micro_tokens: Annotated[int, Field(gt=0)] = 4096
    """Tokens (padding included) that go through the model at once; gradients are added up."""
    sequence: Annotated[int, Field(gt=0)] = 256
    """The length of a row."""
    lr: Annotated[float, Field(gt=0)] = 3e-3
    """The peak learning rate."""
    warmup: Duration = Duration.steps(10)
    schedule: Schedule = Cosine()
    optim: Optim = AdamW()
    clip: Annotated[float, Field(ge=0)] = 1.0
    """The largest norm of the gradient; 0 clips nothing."""
    clip_warmup: Duration = Duration.steps(0)
    """While training begins, norms may be ``clip_warmup_factor`` times as large."""
    clip_warmup_factor: Annotated[float, Field(gt=0)] = 10.0
    skip: SkipConfig | None = None
    """Leave out steps whose loss or gradient is far above those before; ``{}`` for OLMo-core's."""
    log_every: Duration = Duration.steps(1, ends=True)
    save_every: Annotated[Duration, IMMATERIAL] = Duration.steps(100)
    """How often the state is saved that an interrupted run goes on from."""

    @model_validator(mode="after")
    def _one_length(self) -> LoopConfig:
        given = [name for name in ("steps", "tokens", "epochs") if self.length_in(name) is not None]
        if len(given) != 1:
            raise ValueError(
                "say how long to train: exactly one of steps, tokens and epochs "
                f"(given: {', '.join(given) or 'none'})"
            )
        if self.batch_tokens < self.sequence:
            raise ValueError(
                f"batch_tokens {self.batch_tokens} holds no row of sequence {self.sequence}"
            )
        return self

    def length_in(self, unit: str) -> float | None:
        """The length in one unit, where it was given in that unit."""
        return {"steps": self.steps, "tokens": self.tokens, "epochs": self.epochs}[unit]

    def rates(self, until: int, after: Callable[[int], Position]) -> Callable[[int], float]:
        """The learning rate of each step; ``after``: where training is after so many."""
        factor = self.schedule.factor(until, self.warmup, after)
        return lambda step: self.lr * factor(step)

    def clips(self, after: Callable[[int], Position]) -> Callable[[int], float]:
        """The largest norm of the gradient at each step."""
        looser = self.clip_warmup.in_steps(after)
        return lambda step: self.clip * (self.clip_warmup_factor if step < looser else 1.0)

    @property
    def until(self) -> Duration:
        """How long to train."""
        if self.steps is not None:
            return Duration.steps(self.steps)
        if self.tokens is not None:
            return Duration.tokens(self.tokens)
        assert self.epochs is not None
        return Duration.epochs(self.epochs)


class PretrainLoop(LoopConfig, frozen=True):
    """The loop of pretraining, where batches and rows may change in size on the way."""

    batch_schedule: tuple[Change, ...] = ()
    """Other ``batch_tokens`` from some points on."""
    sequence_schedule: tuple[Change, ...] = ()
    """Shorter rows from some points on; they divide ``sequence``, an instance becoming several."""
