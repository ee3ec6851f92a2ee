"""Losses of a language model.

Shapes: ``B`` sequences, ``T`` tokens, ``N`` tokens that count, ``D`` width, ``E`` experts,
``K`` chosen.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from olmeda.model.kernels.head_loss import label_logprobs, summed_nll
from olmeda.model.moe import RouterOutput
from olmeda.model.segments import Segments
from olmeda.model.transformer import Transformer

IGNORED = -100
"""The label of a token that no loss counts."""


@dataclass(frozen=True)
class LMLoss:
    """Parts of a loss, each differentiable; divide sums by ``tokens`` of the whole batch."""

    nll_sum: Tensor
    """negative log-likelihood in nats, summed over the tokens that count"""
    tokens: int
    z_sum: Tensor
    """squared logsumexp of the logits, summed likewise; 0 unless asked for"""
    balance: Tensor
    """load balancing, mean over MoE layers; exactly 1 when routing is uniform; 0 if dense"""
    router_z: Tensor
    """mean squared logsumexp of the routers' logits, mean over MoE layers; 0 if dense"""


def lm_loss(
    model: Transformer,
    ids_BT: Tensor,
    labels_BT: Tensor,
    *,
    z: bool = False,
    segments: Segments | None = None,
) -> LMLoss:
    """The language-modelling loss; ``labels_BT[b, t]`` is the target at t, -100 where none.

    ``z``: compute ``z_sum`` too, at the price of one more product with the head. ``segments``:
    stretches of the rows that see only themselves.
    """
    hidden = model(ids_BT, segments=segments)
    counts_BT = labels_BT != IGNORED
    h_ND, labels_N = _counted(hidden.h_BTD, labels_BT, counts_BT)
    if z:
        logp_N, lse_N = label_logprobs(h_ND, model.head_weight, labels_N)
        nll_sum, z_sum = -logp_N.sum(), lse_N.square().sum()
    else:
        nll_sum, z_sum = summed_nll(h_ND, model.head_weight, labels_N), h_ND.new_zeros(())
    balance, router_z = router_losses(hidden.routers)
    return LMLoss(nll_sum, len(labels_N), z_sum, balance, router_z)


def token_logprobs(model: Transformer, ids_BT: Tensor, labels_BT: Tensor) -> Tensor:
    """Log-probability in nats of each label, ``[B, T]``; 0 where the label is -100."""
    hidden = model(ids_BT)
    counts_BT = labels_BT != IGNORED
    h_ND, labels_N = _counted(hidden.h_BTD, labels_BT, counts_BT)
    logp_N, _ = label_logprobs(h_ND, model.head_weight, labels_N)
    return logp_N.new_zeros(labels_BT.shape).masked_scatter(counts_BT, logp_N)


def load_balance(probs_NE: Tensor, chosen_NK: Tensor) -> Tensor:
    """``E / (N K) * sum_e count_e * mean_n probs[n, e]`` of one layer (OLMoE, megablocks).

    1 when routing is uniform. transformers' figure is K times this, pooled over layers.
    """
    tokens, experts = probs_NE.shape
    counts_E = torch.bincount(chosen_NK.flatten(), minlength=experts)
    return experts / (tokens * chosen_NK.shape[1]) * (counts_E * probs_NE.mean(0)).sum()


def router_losses(routers: list[RouterOutput]) -> tuple[Tensor, Tensor]:
    """``(balance, router_z)``: the mean over layers of each; zeros for a dense model."""
    if not routers:
        return torch.zeros(()), torch.zeros(())
    balances = [load_balance(r.probs_NE, r.chosen_NK) for r in routers]
    zs = [torch.logsumexp(r.logits_NE, -1).square().mean() for r in routers]
    return torch.stack(balances).mean(), torch.stack(zs).mean()


def _counted(h_BTD: Tensor, labels_BT: Tensor, counts_BT: Tensor) -> tuple[Tensor, Tensor]:
    """Hidden states and labels of the tokens that count."""
    if bool(counts_BT.all()):
        return h_BTD.flatten(0, 1), labels_BT.flatten()
    return h_BTD[counts_BT], labels_BT[counts_BT]
