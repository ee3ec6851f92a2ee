"""Muon: momentum whose every matrix is made orthogonal, in fp32 and for stacks of matrices too.

``torch.optim.Muon`` orthogonalises in bf16, which processors without bf16 units emulate some 48
times slower, and refuses the stacked matrices of experts; the rule below is the same.

Shapes: ``S`` stacked matrices, ``R`` rows, ``C`` columns.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""The quintic of Keller Jordan's Muon (2024), steepest at zero; it lands near 1, not on it."""


def orthogonalise(matrices_SRC: Tensor, rounds: int = 5, eps: float = 1e-7) -> Tensor:
    """Push all singular values of each matrix towards 1 by Newton-Schulz rounds."""
    a, b, c = COEFFICIENTS
    tall = matrices_SRC.shape[-2] > matrices_SRC.shape[-1]
    x = matrices_SRC.mT if tall else matrices_SRC
    x = x / torch.linalg.matrix_norm(x, keepdim=True).clamp(min=eps)
    for _ in range(rounds):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.mT if tall else x


def update_scale(rows: int, columns: int) -> float:
    """Bring an orthogonal update to the size of AdamW's, so that one learning rate serves both.

    0.2 * sqrt(max(rows, columns)): Liu et al. 2025, "Muon is scalable for LLM training".
    """
    return 0.2 * math.sqrt(max(rows, columns))


class Muon(torch.optim.Optimizer):
    """Muon for parameters of two dimensions, or of three (then each slice is one matrix)."""

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        lr: float,
        momentum: float = 0.95,
        weight_decay: float = 0.1,
        rounds: int = 5,
    ) -> None:
        defaults = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay, "rounds": rounds}
        super().__init__(params, defaults)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Update every parameter that has a gradient; equal shapes are made orthogonal together."""
        assert closure is None
        for group in self.param_groups:
            held = [p for p in group["params"] if p.grad is not None]
            for same in _by_matrix_shape(held):
                _update(same, [self._direction(p, group["momentum"]) for p in same], group)

    def _direction(self, param: Tensor, momentum: float) -> Tensor:
        """Nesterov's look-ahead over the running mean of gradients, as [S, R, C]."""
        state, grad = self.state[param], param.grad
        assert grad is not None
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(param)
        running: Tensor = state["momentum"].lerp_(grad, 1 - momentum)
        return grad.lerp(running, momentum).view(-1, *param.shape[-2:])


def _by_matrix_shape(params: list[Tensor]) -> list[list[Tensor]]:
    groups: dict[tuple[int, ...], list[Tensor]] = {}
    for param in params:
        groups.setdefault(tuple(param.shape[-2:]), []).append(param)
    return list(groups.values())


def _update(params: list[Tensor], directions: list[Tensor], group: dict[str, Any]) -> None:
    counts = [d.shape[0] for d in directions]
    orthogonal = orthogonalise(torch.cat(directions), group["rounds"])
    step = group["lr"] * update_scale(*orthogonal.shape[-2:])
    for param, update in zip(params, torch.split(orthogonal, counts), strict=True):
        param.mul_(1 - group["lr"] * group["weight_decay"])
        param.add_(update.view_as(param), alpha=-step)
