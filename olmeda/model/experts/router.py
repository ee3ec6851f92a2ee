"""Who visits whom: tokens that choose experts, and experts that choose tokens.

Shapes: ``B`` sequences, ``T`` tokens of each, ``N`` = B T tokens, ``D`` width, ``E`` experts,
``K`` experts of each token, ``C`` tokens that an expert takes of one sequence.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from olmeda.model.experts_config import ExpertsConfig
from olmeda.model.linear import Linear

NOBODY = -1
"""Stands in ``chosen_NK`` where a token has fewer experts than columns."""


@dataclass(frozen=True)
class RouterOutput:
    """What one layer's router decided about ``N`` tokens, row by row as the input flattened.

    Where experts choose, a token has between none and all of them: then ``K`` is ``E``, and places
    without an expert hold ``NOBODY`` and the weight 0.
    """

    logits_NE: Tensor
    probs_NE: Tensor
    """softmax of the logits"""
    chosen_NK: Tensor
    """experts by falling probability (plus bias, where choices are biased)"""
    weights_NK: Tensor
    """what each chosen expert's output is multiplied by"""

    @property
    def visited_NE(self) -> Tensor:
        """Which experts each token visits, as truth values."""
        experts = self.probs_NE.shape[1]
        columns_NK = torch.where(self.chosen_NK == NOBODY, experts, self.chosen_NK)
        found = columns_NK.new_zeros(len(columns_NK), experts + 1, dtype=torch.bool)
        return found.scatter_(1, columns_NK, True)[:, :experts]


class Router(nn.Module):
    """Scores of experts for tokens, and the choice that follows from them."""

    bias_E: Tensor | None
    """Added to the probabilities in the choice and not in the weights; see ``bias``."""

    def __init__(self, width: int, experts: ExpertsConfig) -> None:
        super().__init__()
        self.chosen, self.renormalise = experts.chosen, experts.renormalise
        self.tokens_choose, self.bias_rate = experts.choice == "token", experts.bias_rate
        self.scores = Linear(width, experts.count)
        bias_E = torch.zeros(experts.count) if experts.bias_rate else None
        self.register_buffer("bias_E", bias_E)
        self.visits_E: Tensor | None = None  # no buffer: every process counts its own

    def forward(self, x_BTD: Tensor, real_BT: Tensor | None = None) -> RouterOutput:
        """Choose for each token, in float32 whatever the rest is computed in.

        ``real_BT``: which tokens are no padding, for experts that choose; absent: all.
        """
        with torch.autocast(x_BTD.device.type, enabled=False):
            logits_BTE = nn.functional.linear(x_BTD.float(), self.scores.weight.float())
            probs_BTE = torch.softmax(logits_BTE, -1)
        if self.tokens_choose:
            chosen, weights = self._tokens_choose(probs_BTE)
        else:
            chosen, weights = experts_choose(probs_BTE, self.chosen, real_BT)
        found = (logits_BTE, probs_BTE, chosen, weights)
        return RouterOutput(*(t.flatten(0, -2) for t in found))

    def _tokens_choose(self, probs_BTE: Tensor) -> tuple[Tensor, Tensor]:
        if self.bias_E is None:
            weights_BTK, chosen_BTK = torch.topk(probs_BTE, self.chosen, dim=-1)
        else:
            chosen_BTK = torch.topk(probs_BTE + self.bias_E, self.chosen, dim=-1).indices
            weights_BTK = probs_BTE.gather(-1, chosen_BTK)
        if self.renormalise:
            weights_BTK = weights_BTK / weights_BTK.sum(-1, keepdim=True)
        return chosen_BTK, weights_BTK


def experts_choose(
    probs_BTE: Tensor, chosen: int, real_BT: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """``(chosen_BTE, weights_BTE)`` where each expert takes its most probable tokens.

    Of a sequence of T tokens ``ceil(T chosen / E)``, padding never (arXiv:2202.09368, there over a
    whole batch; by sequence here, so that neighbours in the batch change nothing).
    """
    length, experts = probs_BTE.shape[1:]
    open_BTE, room = probs_BTE.detach(), math.ceil(length * chosen / experts)
    if real_BT is not None:
        open_BTE = open_BTE.masked_fill(~real_BT[..., None], -1.0)
    taken_BCE = torch.topk(open_BTE, room, dim=1).indices
    kept_BCE = torch.ones_like(taken_BCE, dtype=torch.bool)
    if real_BT is not None:
        rooms_B = torch.ceil(real_BT.sum(1) * chosen / experts)
        rank_C = torch.arange(room, device=rooms_B.device)
        kept_BCE &= (rank_C < rooms_B[:, None])[..., None]
    picked_BTE = torch.zeros_like(open_BTE, dtype=torch.bool).scatter(1, taken_BCE, kept_BCE)
    ranked_BTE, chosen_BTE = torch.sort(
        torch.where(picked_BTE, open_BTE, -1.0), dim=-1, descending=True, stable=True
    )
    here_BTE = ranked_BTE >= 0
    weights_BTE = probs_BTE.gather(-1, chosen_BTE) * here_BTE
    return torch.where(here_BTE, chosen_BTE, NOBODY), weights_BTE
