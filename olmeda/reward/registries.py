"""The registry of reward scorers: what gives an answer a number."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from olmeda.artifacts.examples import Message
from olmeda.base.registry import Registry


@dataclass(frozen=True)
class Request:
    """An answer to be scored after its prompt."""

    prompt: tuple[Message, ...]
    answer: str


@dataclass(frozen=True)
class Scored:
    """One value a request, higher is better (float64), and how many requests were cut to fit."""

    values: np.ndarray = field(hash=False)
    truncated: int = 0


RewardScorer = Callable[..., Scored]
"""``scorer(requests, *, ...) -> Scored``; parameters are keyword-only, paths are checkpoints.

``checkpoint`` and ``reference`` come from the scorer's entry in the configuration, ``batch_tokens``
from the verb, to those scorers that take them.
"""

reward_scorer: Registry[RewardScorer] = Registry("reward_scorer", "olmeda.reward.scorers")
