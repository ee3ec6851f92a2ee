"""Losses of a language model, computed a slice of tokens at a time.

The logits of 4096 tokens over a vocabulary of 4096 take 64 MB, and their gradient as much again;
a slice of them fits the cache of a core, which is also faster.

Shapes: ``B`` sequences, ``T`` tokens, ``N`` tokens that count, ``D`` width, ``V`` vocabulary,
``L`` tokens of one slice, ``E`` experts, ``K`` chosen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from olmeda.model.moe import RouterOutput
from olmeda.model.segments import Segments
from olmeda.model.transformer import Transformer

IGNORED = -100
"""The label of a token that no loss counts."""
SLICE_ELEMENTS = 1 << 21
"""Logits held at once (8 MB in float32)."""


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
        logp_N, lse_N = _logprobs(h_ND, model.head_weight, labels_N)
        nll_sum, z_sum = -logp_N.sum(), lse_N.square().sum()
    else:
        nll_sum, z_sum = _summed_nll(h_ND, model.head_weight, labels_N), h_ND.new_zeros(())
    balance, router_z = router_losses(hidden.routers)
    return LMLoss(nll_sum, len(labels_N), z_sum, balance, router_z)


def token_logprobs(model: Transformer, ids_BT: Tensor, labels_BT: Tensor) -> Tensor:
    """Log-probability in nats of each label, ``[B, T]``; 0 where the label is -100."""
    hidden = model(ids_BT)
    counts_BT = labels_BT != IGNORED
    h_ND, labels_N = _counted(hidden.h_BTD, labels_BT, counts_BT)
    logp_N, _ = _logprobs(h_ND, model.head_weight, labels_N)
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


def _slices(tokens: int, vocabulary: int) -> list[slice]:
    step = max(64, SLICE_ELEMENTS // vocabulary)
    return [slice(i, min(i + step, tokens)) for i in range(0, tokens, step)]


class _SummedNLL(torch.autograd.Function):
    """The summed loss with its gradient made on the way forward: three products, not four."""

    @staticmethod
    def forward(ctx: Any, h_ND: Tensor, head_VD: Tensor, labels_N: Tensor) -> Tensor:
        total = h_ND.new_zeros((), dtype=torch.float64)
        wanted = ctx.needs_input_grad[0] or ctx.needs_input_grad[1]
        grad_h_ND = torch.empty_like(h_ND) if wanted else None
        grad_head_VD = torch.zeros_like(head_VD) if wanted else None
        for part in _slices(len(h_ND), len(head_VD)):
            h_LD, label_L1 = h_ND[part], labels_N[part, None]
            logits_LV = h_LD @ head_VD.T
            above_L1 = logits_LV.gather(1, label_L1) - logits_LV.amax(1, keepdim=True)
            probs_LV = torch.softmax(logits_LV, -1, out=logits_LV)
            # the largest probability is 1 / sum(exp(logit - largest)): no label underflows
            total -= (above_L1 + probs_LV.amax(1, keepdim=True).log_()).sum(dtype=torch.float64)
            if grad_h_ND is not None and grad_head_VD is not None:
                probs_LV.scatter_add_(1, label_L1, probs_LV.new_full((), -1.0).expand_as(label_L1))
                torch.mm(probs_LV, head_VD, out=grad_h_ND[part])
                grad_head_VD.addmm_(probs_LV.T, h_LD)
        ctx.save_for_backward(grad_h_ND, grad_head_VD)
        return total.to(h_ND.dtype)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None]:
        grad_h_ND, grad_head_VD = ctx.saved_tensors
        return grad_h_ND * grad, grad_head_VD * grad, None


class _TokenLogprobs(torch.autograd.Function):
    """``(log-probability of its label, logsumexp)`` of each token; backward makes logits anew."""

    @staticmethod
    def forward(ctx: Any, h_ND: Tensor, head_VD: Tensor, labels_N: Tensor) -> tuple[Tensor, Tensor]:
        logp_N, lse_N = h_ND.new_empty(len(h_ND)), h_ND.new_empty(len(h_ND))
        for part in _slices(len(h_ND), len(head_VD)):
            logits_LV = h_ND[part] @ head_VD.T
            torch.logsumexp(logits_LV, -1, out=lse_N[part])
            logp_N[part] = logits_LV.gather(1, labels_N[part, None])[:, 0] - lse_N[part]
        ctx.save_for_backward(h_ND, head_VD, labels_N, lse_N)
        return logp_N, lse_N

    @staticmethod
    def backward(ctx: Any, grad_logp_N: Tensor, grad_lse_N: Tensor) -> tuple[Tensor, Tensor, None]:
        h_ND, head_VD, labels_N, lse_N = ctx.saved_tensors
        grad_h_ND, grad_head_VD = torch.empty_like(h_ND), torch.zeros_like(head_VD)
        for part in _slices(len(h_ND), len(head_VD)):
            probs_LV = (h_ND[part] @ head_VD.T).sub_(lse_N[part, None]).exp_()
            on_label_L1 = grad_logp_N[part, None]
            grad_LV = probs_LV.mul_(grad_lse_N[part, None] - on_label_L1)
            grad_LV.scatter_add_(1, labels_N[part, None], on_label_L1)
            torch.mm(grad_LV, head_VD, out=grad_h_ND[part])
            grad_head_VD.addmm_(grad_LV.T, h_ND[part])
        return grad_h_ND, grad_head_VD, None


_summed_nll: Callable[[Tensor, Tensor, Tensor], Tensor] = _SummedNLL.apply
_logprobs: Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]] = _TokenLogprobs.apply
