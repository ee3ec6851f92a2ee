"""A dropless mixture of experts: every token visits its K most probable experts.

Shapes: ``B`` sequences, ``T`` tokens of each, ``N`` = B T tokens, ``D`` width, ``E`` experts,
``K`` chosen for each token, ``F`` hidden width of an expert, ``M`` = N K visits in order of expert.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from olmeda.model.config import ModelConfig
from olmeda.model.experts_config import ExpertsConfig
from olmeda.model.linear import Linear
from olmeda.model.mlp import swiglu


@dataclass(frozen=True)
class RouterOutput:
    """What one layer's router decided about ``N`` tokens, row by row as the input flattened."""

    logits_NE: Tensor
    probs_NE: Tensor
    """softmax of the logits"""
    chosen_NK: Tensor
    """experts by falling probability"""
    weights_NK: Tensor
    """what each chosen expert's output is multiplied by"""


class Router(nn.Module):
    """Token choice: the K largest of softmax(x @ weight.T)."""

    def __init__(self, width: int, experts: ExpertsConfig) -> None:
        super().__init__()
        self.chosen, self.renormalise = experts.chosen, experts.renormalise
        self.scores = Linear(width, experts.count)

    def forward(self, x_ND: Tensor) -> RouterOutput:
        """Choose experts and their weights for each token."""
        logits_NE = self.scores(x_ND)
        probs_NE = torch.softmax(logits_NE, -1)
        weights_NK, chosen_NK = torch.topk(probs_NE, self.chosen, dim=-1)
        if self.renormalise:
            weights_NK = weights_NK / weights_NK.sum(-1, keepdim=True)
        return RouterOutput(logits_NE, probs_NE, chosen_NK, weights_NK)


class _Dispatch(torch.autograd.Function):
    """Copy tokens to their visits. Backward sums each token's visits without scattered adds."""

    @staticmethod
    def forward(ctx: Any, x_ND: Tensor, order_M: Tensor, back_M: Tensor, chosen: int) -> Tensor:
        ctx.save_for_backward(back_M)
        ctx.chosen = chosen
        return x_ND.index_select(0, order_M // chosen)

    @staticmethod
    def backward(ctx: Any, grad_MD: Tensor) -> tuple[Tensor, None, None, None]:
        (back_M,) = ctx.saved_tensors
        grad_NKD = grad_MD.index_select(0, back_M).view(-1, ctx.chosen, grad_MD.shape[-1])
        return grad_NKD.sum(1), None, None, None


class _Combine(torch.autograd.Function):
    """Weight the visits' outputs and sum them for each token, put back in the order of tokens."""

    @staticmethod
    def forward(
        ctx: Any, y_MD: Tensor, weights_NK: Tensor, order_M: Tensor, back_M: Tensor
    ) -> Tensor:
        tokens, chosen = weights_NK.shape
        y_NKD = y_MD.index_select(0, back_M).view(tokens, chosen, y_MD.shape[-1])
        ctx.save_for_backward(y_NKD, weights_NK, order_M)
        y_ND = y_NKD[:, 0] * weights_NK[:, :1]
        for k in range(1, chosen):
            y_ND.addcmul_(y_NKD[:, k], weights_NK[:, k : k + 1])
        return y_ND

    @staticmethod
    def backward(ctx: Any, grad_ND: Tensor) -> tuple[Tensor, Tensor, None, None]:
        y_NKD, weights_NK, order_M = ctx.saved_tensors
        weight_M1 = weights_NK.flatten()[order_M, None]
        grad_y_MD = grad_ND.index_select(0, order_M // weights_NK.shape[1]).mul_(weight_M1)
        return grad_y_MD, torch.linalg.vecdot(y_NKD, grad_ND[:, None]), None, None


_dispatch: Callable[[Tensor, Tensor, Tensor, int], Tensor] = _Dispatch.apply
_combine: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor] = _Combine.apply


class MoE(nn.Module):
    """Tokens sorted by expert, one pair of products an expert, nothing dropped or padded."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        assert config.experts is not None
        self.count, self.chosen = config.experts.count, config.experts.chosen
        self.router = Router(config.width, config.experts)
        self.gate_up = nn.Parameter(torch.empty(self.count, 2 * config.mlp_width, config.width))
        self.down = nn.Parameter(torch.empty(self.count, config.width, config.mlp_width))

    def forward(self, x_BTD: Tensor) -> tuple[Tensor, RouterOutput]:
        """Return the weighted sum of the chosen experts' outputs, and the routing."""
        x_ND = x_BTD.flatten(0, -2)
        routed = self.router(x_ND)
        chosen_M = routed.chosen_NK.flatten()
        order_M = torch.argsort(chosen_M, stable=True)
        back_M = torch.empty_like(order_M)
        back_M[order_M] = torch.arange(len(order_M), device=order_M.device)
        loads = torch.bincount(chosen_M, minlength=self.count).tolist()
        x_MD = _dispatch(x_ND, order_M, back_M, self.chosen)
        y_MD = self._experts(x_MD, loads)
        y_ND = _combine(y_MD, routed.weights_NK, order_M, back_M)
        return y_ND.view_as(x_BTD), routed

    def _experts(self, x_MD: Tensor, loads: list[int]) -> Tensor:
        # unbind, not indexing: the gradient of weight[e] would be a full stack for each expert
        parts = [
            nn.functional.linear(swiglu(nn.functional.linear(x_LD, gate_up)), down)
            for x_LD, gate_up, down in zip(
                torch.split(x_MD, loads), self.gate_up.unbind(0), self.down.unbind(0), strict=True
            )
        ]
        return torch.cat(parts)
