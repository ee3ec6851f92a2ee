"""Between steps: the biases that keep a mixture of experts even without a loss move."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from olmeda.model.experts.bias import biased_routers, forget_visits, move_biases
from olmeda.train.duration import Duration
from olmeda.train.loop import Hook, Moment
from olmeda.train.world import World


def balancing(model: nn.Module, world: World) -> list[tuple[Duration, Hook]]:
    """After each step, the hook that moves the biases of ``model``; none where it has none.

    A step that was left out (``skipped``) moves none: it is to change nothing.
    """
    if not biased_routers(model):
        return []

    def move(moment: Moment) -> Mapping[str, Any]:
        if moment.measures.get("skipped"):
            forget_visits(model)
        else:
            move_biases(model, world.total)
        return {}

    return [(Duration.steps(1), move)]
