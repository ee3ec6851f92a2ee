"""Rows of tokens with their targets, cut into micro-batches, and their language-model loss.

Shapes: ``B`` rows, ``T`` tokens.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from olmeda.model.config import ModelConfig
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
    """Tokens read: neither padding nor what is masked counts."""
    segments: Segments | None = None
    """Stretches that see only themselves; absent: a token sees its whole row before it."""


def language_loss(config: ModelConfig) -> LossFn:
    """Next-token loss over ``Rows``, plus what the model's configuration asks for beside it.

    ``z_weight`` times the mean squared logsumexp of the logits (measure ``z``), and with experts
    their balance and router penalties.
    """
    experts = config.experts

    def loss(model: Transformer, rows: Rows) -> Losses:
        found = lm_loss(
            model, rows.ids_BT, rows.labels_BT, z=config.z_weight > 0, segments=rows.segments
        )
        measures: dict[str, Tensor] = {}
        penalties: list[Tensor] = []
        if config.z_weight:
            measures["z"] = found.z_sum
            penalties.append(config.z_weight * found.z_sum / max(rows.units, 1))
        if experts is not None:
            measures["balance"] = found.balance * rows.units
            measures["router_z"] = found.router_z * rows.units
            penalties.append(experts.balance_weight * found.balance)
            penalties.append(experts.z_weight * found.router_z)
        penalty = sum(penalties[1:], penalties[0]) if penalties else None
        return Losses(found.nll_sum, penalty, measures)

    return loss
