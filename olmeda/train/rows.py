"""Rows of tokens with their targets, cut into micro-batches, and their language-model loss.

Shapes: ``B`` rows, ``T`` tokens.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from olmeda.model.experts_config import ExpertsConfig
from olmeda.model.loss import lm_loss
from olmeda.model.segments import Segments
from olmeda.model.transformer import Transformer
from olmeda.train.step import Losses, LossFn


@dataclass(frozen=True)
class Rows:
    """Rows a model reads at once: ``labels_BT[b, t]`` is the target at t, -100 where none."""

    ids_BT: Tensor
    labels_BT: Tensor
    units: int
    """Targets that count."""
    tokens: int
    """Tokens read, padding not counted."""
    segments: Segments | None = None
    """Stretches that see only themselves; absent: a token sees its whole row before it."""


def language_loss(experts: ExpertsConfig | None) -> LossFn:
    """Next-token loss over ``Rows``; with experts, plus their balance and router penalties."""

    def loss(model: Transformer, rows: Rows) -> Losses:
        found = lm_loss(model, rows.ids_BT, rows.labels_BT, segments=rows.segments)
        if experts is None:
            return Losses(found.nll_sum)
        return Losses(
            found.nll_sum,
            experts.balance_weight * found.balance + experts.z_weight * found.router_z,
            {"balance": found.balance * rows.units, "router_z": found.router_z * rows.units},
        )

    return loss
