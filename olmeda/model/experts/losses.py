"""What keeps routers even and their logits small, layer by layer, over tokens that are no padding.

Shapes: ``B`` sequences, ``T`` tokens, ``N`` = B T, ``E`` experts, ``K`` places of each token,
``G`` groups of tokens (sequences, or one: the batch).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from olmeda.model.experts.router import NOBODY, RouterOutput


def real_tokens(counts_BT: Tensor) -> Tensor | None:
    """Which tokens bear on a loss: all but those after their row's last label; None where all do.

    ``counts_BT``: which labels count. Padding stands on the right, so it is what comes after; a
    prompt that has no labels stands before them, and is read.
    """
    if bool(counts_BT[:, -1].all()):
        return None
    return counts_BT.flip(1).cummax(1).values.flip(1)


def visit_counts(routed: RouterOutput, real_N: Tensor | None = None, groups: int = 1) -> Tensor:
    """How many real tokens of each of ``groups`` equal parts chose each expert, ``[G, E]``."""
    experts = routed.probs_NE.shape[1]
    chosen_NK = routed.chosen_NK
    counted_NK = chosen_NK != NOBODY
    if real_N is not None:
        counted_NK = counted_NK & real_N[:, None]
    chosen_NK = torch.where(counted_NK, chosen_NK, experts)  # one column more: not counted
    offset_G = torch.arange(groups, device=chosen_NK.device) * (experts + 1)
    placed_GX = chosen_NK.view(groups, -1) + offset_G[:, None]
    counts = torch.bincount(placed_GX.flatten(), minlength=groups * (experts + 1))
    return counts.view(groups, experts + 1)[:, :experts]


def load_balance(routed: RouterOutput, real_N: Tensor | None = None, groups: int = 1) -> Tensor:
    """``E / visits * sum_e visits_e * mean_n probs[n, e]`` of one layer (OLMoE, megablocks).

    1 when routing is uniform. ``real_N``: tokens that count (absent: all). ``groups``: the mean
    over so many equal parts of the tokens, each with the weight of its real tokens. transformers'
    figure is K times this, pooled over layers.
    """
    probs_GTE = routed.probs_NE.view(groups, -1, routed.probs_NE.shape[1])
    counts_GE = visit_counts(routed, real_N, groups)
    scale_G = probs_GTE.shape[2] / counts_GE.sum(1).clamp(min=1)
    if real_N is None:
        return (scale_G * (counts_GE * probs_GTE.mean(1)).sum(1)).mean()
    real_GT = real_N.view(groups, -1).to(probs_GTE.dtype)
    tokens_G = real_GT.sum(1)
    mean_GE = (real_GT[:, None] @ probs_GTE)[:, 0] / tokens_G.clamp(min=1)[:, None]
    losses_G = scale_G * (counts_GE * mean_GE).sum(1)
    return (losses_G * tokens_G).sum() / tokens_G.sum().clamp(min=1)


def router_z(routed: RouterOutput, real_N: Tensor | None = None) -> Tensor:
    """The mean squared logsumexp of one layer's logits (arXiv:2202.08906)."""
    squared_N = torch.logsumexp(routed.logits_NE, -1).square()
    if real_N is None:
        return squared_N.mean()
    return (squared_N * real_N).sum() / real_N.sum().clamp(min=1)


def router_losses(
    routers: Sequence[RouterOutput], real_BT: Tensor | None = None, *, groups: int = 1
) -> tuple[Tensor, Tensor]:
    """``(balance, router_z)``: the mean over layers of each; zeros for a dense model."""
    if not routers:
        return torch.zeros(()), torch.zeros(())
    real_N = None if real_BT is None else real_BT.flatten()
    balances = [load_balance(r, real_N, groups) for r in routers]
    return torch.stack(balances).mean(), torch.stack([router_z(r, real_N) for r in routers]).mean()
