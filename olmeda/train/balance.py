"""Between steps: the biases that keep a mixture of experts even without a loss move."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from olmeda.model.experts.bias import biased_routers, move_biases
from olmeda.train.duration import Duration
from olmeda.train.loop import Hook, Moment
from olmeda.train.world import World


def balancing(model: nn.Module, world: World) -> list[tuple[Duration, Hook]]:
    """After each step, the hook that moves the biases of ``model``; none where it has none."""
    if not biased_routers(model):
        return []

    def move(moment: Moment) -> Mapping[str, Any]:
        move_biases(model, world.total)
        return {}

    return [(Duration.steps(1), move)]
