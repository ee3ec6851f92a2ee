"""The head and the loss after it, a slice of tokens at a time, so that no full logits are held.

The logits of 4096 tokens over a vocabulary of 4096 take 64 MB, and their gradient as much again;
a slice of them fits the cache of a core, which is also faster.

Shapes: ``N`` tokens that count, ``D`` width, ``V`` vocabulary, ``L`` tokens of one slice.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from olmeda.model.kernels.head_autocast import autocast_logprobs, is_autocast

SLICE_ELEMENTS = 1 << 21
"""Logits held at once (8 MB in float32)."""


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
    @once_differentiable
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
    @once_differentiable
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
_label_logprobs: Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]] = _TokenLogprobs.apply


def summed_nll(h_ND: Tensor, head_VD: Tensor, labels_N: Tensor, *, softcap: float = 0.0) -> Tensor:
    """Minus the sum of the labels' log-probabilities; ``softcap`` as ``Transformer.logits``."""
    if softcap or is_autocast(h_ND):
        return -autocast_logprobs(h_ND, head_VD, labels_N, softcap)[0].sum()
    return _summed_nll(h_ND, head_VD, labels_N)


def label_logprobs(
    h_ND: Tensor, head_VD: Tensor, labels_N: Tensor, *, softcap: float = 0.0
) -> tuple[Tensor, Tensor]:
    """Each label's log-probability, and the logsumexp; ``softcap`` likewise."""
    if softcap or is_autocast(h_ND):
        return autocast_logprobs(h_ND, head_VD, labels_N, softcap)
    return _label_logprobs(h_ND, head_VD, labels_N)
