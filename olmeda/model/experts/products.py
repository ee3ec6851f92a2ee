"""The products of a mixture of experts: a loop that stays in the cache, or grouped products.

The loop is one autograd function over all experts. It keeps what the first product makes and
nothing else: inputs are gathered again on the way back, the activation is computed again, and the
gradient of a visit's weight comes from the gradient of the activation (``y . g = a . (W^T g)``), so
that no output of an expert is stored. Weights are addressed in place: indexing a stacked parameter
inside autograd would make a full stack of zeros for every expert.

Shapes: ``N`` tokens, ``M`` visits in order of expert, ``L`` visits of one piece of one expert's,
``E`` experts, ``D`` width, ``F`` hidden width, ``G`` what the first product makes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import grouped_mm

from olmeda.model.experts.activation import Activation
from olmeda.model.experts.visits import Visits
from olmeda.model.kernels.large_pages import on_large_pages

ROWS = 1024
"""Visits of an expert treated at once, at most; 256 and 512 measured slower at width 256."""
ALIGNED = 8
"""Grouped products of bfloat16 need rows of a multiple of 16 bytes."""


def visit_experts(
    x_ND: Tensor, visits: Visits, into_EGD: Tensor, down_EDF: Tensor, activation: Activation
) -> Tensor:
    """``y[n]``: the sum over the visits of token n of weight times the expert's output."""
    if has_grouped_products(x_ND, into_EGD):
        return _grouped(x_ND, visits, into_EGD, down_EDF, activation)
    return _looped(x_ND, visits, into_EGD, down_EDF, activation)


def has_grouped_products(x_ND: Tensor, into_EGD: Tensor) -> bool:
    """Whether this device multiplies all experts at once: CUDA from Ampere on, in bfloat16."""
    if not x_ND.is_cuda or x_ND.dtype != torch.bfloat16:
        return False
    aligned = all(size % ALIGNED == 0 for size in into_EGD.shape[1:])
    return aligned and torch.cuda.get_device_capability(x_ND.device) >= (8, 0)


def _grouped(
    x_ND: Tensor, visits: Visits, into_EGD: Tensor, down_EDF: Tensor, activation: Activation
) -> Tensor:
    """Without a word from the device to the host: sizes of groups stay where they are."""
    ends_E = visits.loads_E.cumsum(0).to(torch.int32)
    x_MD = x_ND.index_select(0, visits.token_M)
    h_MG = grouped_mm(x_MD, into_EGD.transpose(1, 2), offs=ends_E)
    y_MD = grouped_mm(activation.forward(h_MG), down_EDF.transpose(1, 2), offs=ends_E)
    y_MD = y_MD * visits.weight_M[:, None].to(y_MD.dtype)
    return torch.zeros_like(x_ND).index_add(0, visits.token_M, y_MD)


def _looped(
    x_ND: Tensor, visits: Visits, into_EGD: Tensor, down_EDF: Tensor, activation: Activation
) -> Tensor:
    loads = visits.loads_E.tolist()
    weight_M = visits.weight_M.to(x_ND.dtype)
    parts = (x_ND, weight_M, into_EGD, down_EDF, visits.token_M, loads, activation)
    # traced, the loop would be compiled anew for every step's loads
    return _untraced(parts) if torch.compiler.is_compiling() else _experts(*parts)


# not torch.compiler.disable, which takes 2.5 s to import what is needed for compiling alone
@torch._disable_dynamo  # type: ignore[attr-defined]
def _untraced(parts: tuple[Any, ...]) -> Tensor:
    return _experts(*parts)


def _pieces(loads: list[int]) -> tuple[list[int], list[int]]:
    """The expert and the size of every piece."""
    experts, sizes = [], []
    for expert, load in enumerate(loads):
        count = -(-load // ROWS)
        experts += [expert] * count
        sizes += [(load + n) // count for n in range(count)]  # even: a small rest costs a product
    return experts, sizes


class _Experts(torch.autograd.Function):
    """Every expert on its visits, summed for each token in the order of experts."""

    @staticmethod
    def forward(
        ctx: Any,
        x_ND: Tensor,
        weight_M: Tensor,
        into_EGD: Tensor,
        down_EDF: Tensor,
        token_M: Tensor,
        loads: list[int],
        activation: Activation,
    ) -> Tensor:
        y_ND, kept = torch.zeros_like(x_ND), []
        experts, sizes = _pieces(loads)
        into, down = into_EGD.unbind(0), down_EDF.unbind(0)
        visits = _split(sizes, token_M, weight_M)
        for expert, (token_L, weight_L) in zip(experts, visits, strict=True):
            h_LG = x_ND.index_select(0, token_L).mm(into[expert].T)
            if any(ctx.needs_input_grad):
                kept.append(h_LG)  # apart: memory of this size comes back, one large piece is new
            a_LF = activation.weighed(h_LG, weight_L)
            y_ND.index_add_(0, token_L, a_LF.mm(down[expert].T))
        ctx.save_for_backward(x_ND, weight_M, into_EGD, down_EDF, token_M, *kept)
        ctx.loads, ctx.activation = loads, activation
        return y_ND

    @staticmethod
    def backward(ctx: Any, grad_ND: Tensor) -> tuple[Tensor | None, ...]:
        x_ND, weight_M, into_EGD, down_EDF, token_M, *kept = ctx.saved_tensors
        grad_ND = grad_ND.contiguous()
        grad_x_ND, grad_weight_M = torch.zeros_like(x_ND), torch.empty_like(weight_M)
        grad_into_EGD = on_large_pages(torch.empty_like(into_EGD))
        grad_down_EDF = on_large_pages(torch.empty_like(down_EDF))
        into, down = into_EGD.unbind(0), down_EDF.unbind(0)
        grad_into, grad_down = grad_into_EGD.unbind(0), grad_down_EDF.unbind(0)
        for expert, load in enumerate(ctx.loads):
            if not load:
                grad_into[expert].zero_()
                grad_down[expert].zero_()
        experts, sizes = _pieces(ctx.loads)
        visits = _split(sizes, token_M, weight_M, grad_weight_M)
        before = -1
        for expert, h_LG, visit in zip(experts, kept, visits, strict=True):
            token_L, weight_L, grad_weight_L = visit
            keep, before = int(expert == before), expert
            grad_LD = grad_ND.index_select(0, token_L)
            grad_LF = grad_LD.mm(down[expert])
            a_LF, grad_LG = ctx.activation.backward(h_LG, grad_LF, weight_L, grad_weight_L)
            grad_down[expert].addmm_(grad_LD.T, a_LF, beta=keep)
            grad_into[expert].addmm_(grad_LG.T, x_ND.index_select(0, token_L), beta=keep)
            grad_x_ND.index_add_(0, token_L, grad_LG.mm(into[expert]))
        return grad_x_ND, grad_weight_M, grad_into_EGD, grad_down_EDF, None, None, None


def _split(sizes: list[int], *tensors: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """The pieces of tensors over visits, together; one call each, where slicing would be many."""
    return zip(*(torch.split(t, sizes) for t in tensors), strict=True)


_experts: Callable[..., Tensor] = _Experts.apply
