"""Balance without a loss: a bias on choices that follows the visits (arXiv:2408.15664).

Counting and moving are apart: visits are counted over all micro-batches of a step, and the bias
moves once after it, by the sum over all processes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from olmeda.model.experts.losses import visit_counts
from olmeda.model.experts.router import Router, RouterOutput


def biased_routers(model: nn.Module) -> list[Router]:
    """The routers whose choices are biased, in the order of the model."""
    routers = [m for m in model.modules() if isinstance(m, Router)]
    return [r for r in routers if r.bias_E is not None]


@torch.no_grad()
def count_visits(
    model: nn.Module, routed: Sequence[RouterOutput], real_BT: Tensor | None = None
) -> None:
    """Add what one micro-batch decided to the visits of this step."""
    routers = biased_routers(model)
    if not routers:
        return
    assert len(routers) == len(routed)
    real_N = None if real_BT is None else real_BT.flatten()
    for router, output in zip(routers, routed, strict=True):
        counts_E = visit_counts(output, real_N)[0]
        held_E = router.visits_E
        router.visits_E = counts_E if held_E is None else held_E + counts_E


def forget_visits(model: nn.Module) -> None:
    """Drop what a step that does not end has counted."""
    for router in biased_routers(model):
        router.visits_E = None


@torch.no_grad()
def move_biases(model: nn.Module, total: Callable[..., list[float]]) -> None:
    """Move each bias by the layer's rate, up where an expert had fewer visits than the mean.

    ``total(*values)`` sums each value over all processes, every one of which must call this.
    """
    for router in biased_routers(model):
        bias_E, counted_E = router.bias_E, router.visits_E
        assert bias_E is not None
        here = [0.0] * len(bias_E) if counted_E is None else counted_E.tolist()
        visits_E = torch.tensor(total(*here), dtype=torch.float64)
        towards_E = torch.sign(visits_E.mean() - visits_E)
        bias_E += router.bias_rate * towards_E.to(bias_E)
        router.visits_E = None
