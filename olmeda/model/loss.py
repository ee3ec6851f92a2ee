"""Losses of a language model.

Shapes: ``B`` sequences, ``T`` tokens, ``N`` tokens that count, ``D`` width.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from olmeda.model.experts.bias import count_visits
from olmeda.model.experts.losses import real_tokens, router_losses
from olmeda.model.kernels.head_loss import label_logprobs, summed_nll
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
    stretches of the rows that see only themselves. What stands after the last label of a row is
    padding, which no router's loss counts.
    """
    counts_BT = labels_BT != IGNORED
    experts = model.config.experts
    real_BT = None if experts is None else real_tokens(counts_BT)
    hidden = model(ids_BT, segments=segments, real_BT=real_BT)
    h_ND, labels_N = _counted(hidden.h_BTD, labels_BT, counts_BT)
    head_VD, cap = model.head_weight, model.config.logit_softcap
    if z:
        logp_N, lse_N = label_logprobs(h_ND, head_VD, labels_N, softcap=cap)
        nll_sum, z_sum = -logp_N.sum(), lse_N.square().sum()
    else:
        nll_sum = summed_nll(h_ND, head_VD, labels_N, softcap=cap)
        z_sum = h_ND.new_zeros(())
    if model.training and nll_sum.requires_grad:  # measuring between steps counts nothing
        count_visits(model, hidden.routers, real_BT)
    by_sequence = experts is not None and experts.balance_over == "sequence"
    groups = len(ids_BT) if by_sequence else 1
    balance, router_z = router_losses(hidden.routers, real_BT, groups=groups)
    return LMLoss(nll_sum, len(labels_N), z_sum, balance, router_z)


def token_logprobs(model: Transformer, ids_BT: Tensor, labels_BT: Tensor) -> Tensor:
    """Log-probability in nats of each label, ``[B, T]``; 0 where the label is -100."""
    counts_BT = labels_BT != IGNORED
    hidden = model(ids_BT, real_BT=None if model.config.experts is None else real_tokens(counts_BT))
    h_ND, labels_N = _counted(hidden.h_BTD, labels_BT, counts_BT)
    cap = model.config.logit_softcap
    logp_N, _ = label_logprobs(h_ND, model.head_weight, labels_N, softcap=cap)
    return logp_N.new_zeros(labels_BT.shape).masked_scatter(counts_BT, logp_N)


def _counted(h_BTD: Tensor, labels_BT: Tensor, counts_BT: Tensor) -> tuple[Tensor, Tensor]:
    """Hidden states and labels of the tokens that count."""
    if bool(counts_BT.all()):
        return h_BTD.flatten(0, 1), labels_BT.flatten()
    return h_BTD[counts_BT], labels_BT[counts_BT]
