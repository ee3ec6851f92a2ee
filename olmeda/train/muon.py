"""Muon: momentum whose every matrix is made orthogonal, in fp32, for stacks of matrices too.

``torch.optim.Muon`` orthogonalises in bf16, which processors without bf16 units emulate some 48
times slower, and refuses the stacked matrices of experts; the rule below is the same.

Shapes: ``S`` stacked matrices, ``R`` rows, ``C`` columns.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor

from olmeda.train.parallel import laid_as, whole

Scale = Literal["adamw", "original"]
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


def update_scale(rows: int, columns: int, scale: Scale = "adamw") -> float:
    """The factor on an orthogonal update.

    ``adamw``: 0.2 * sqrt(max(rows, columns)), the size of AdamW's, so that one learning rate serves
    both (Liu et al. 2025, "Muon is scalable for LLM training"). ``original``: Keller Jordan's
    sqrt(max(1, rows / columns)), which torch takes unless told otherwise.
    """
    if scale == "original":
        return math.sqrt(max(1.0, rows / columns))
    return 0.2 * math.sqrt(max(rows, columns))


class Muon(torch.optim.Optimizer):
    """Muon for parameters of two dimensions, or of three (then each slice is one matrix).

    ``parts``: the rows of each matrix that lie on top of each other in a parameter; each becomes
    orthogonal by itself. Sharded parameters are made whole for it, on every process alike.
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        lr: float,
        momentum: float = 0.95,
        weight_decay: float = 0.1,
        rounds: int = 5,
        nesterov: bool = True,
        scale: Scale = "adamw",
        parts: Mapping[Tensor, Sequence[int]] | None = None,
    ) -> None:
        defaults = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay,
                    "rounds": rounds, "nesterov": nesterov, "scale": scale}  # fmt: skip
        super().__init__(params, defaults)
        self._parts = dict(parts or {})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Update every parameter that has a gradient; equal shapes are made orthogonal together."""
        assert closure is None
        for group in self.param_groups:
            held = [p for p in group["params"] if p.grad is not None]
            updates = [self._direction(p, group["momentum"], group["nesterov"]) for p in held]
            pieces: list[Tensor] = []
            for param, update in zip(held, updates, strict=True):
                rows = self._parts.get(param, update.shape[-2:-1])
                pieces.extend(torch.split(update, list(rows), -2))
            for same in _by_matrix_shape(pieces):
                _orthogonalise_in_place(same, group["rounds"], group["scale"])
            for param, update in zip(held, updates, strict=True):
                param.mul_(1 - group["lr"] * group["weight_decay"])
                _add(param, update, -group["lr"])

    def _direction(self, param: Tensor, momentum: float, nesterov: bool) -> Tensor:
        """The running mean of gradients (with Nesterov's look-ahead), a new [S, R, C], whole."""
        state, grad = self.state[param], param.grad
        assert grad is not None
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(param)
        running: Tensor = state["momentum"].lerp_(grad, 1 - momentum)
        found = grad.lerp(running, momentum) if nesterov else running.clone()
        return whole(found).view(-1, *param.shape[-2:])


def _by_matrix_shape(matrices: list[Tensor]) -> list[list[Tensor]]:
    groups: dict[tuple[int, ...], list[Tensor]] = {}
    for matrix in matrices:
        groups.setdefault(tuple(matrix.shape[-2:]), []).append(matrix)
    return list(groups.values())


def _orthogonalise_in_place(matrices: list[Tensor], rounds: int, scale: Scale) -> None:
    """Put the scaled orthogonal form of each stack of equal shape in its place."""
    found = orthogonalise(torch.cat(matrices), rounds)
    found = found * update_scale(found.shape[-2], found.shape[-1], scale)
    counts = [matrix.shape[0] for matrix in matrices]
    for matrix, part in zip(matrices, torch.split(found, counts), strict=True):
        matrix.copy_(part)


def _add(param: Tensor, update_SRC: Tensor, alpha: float) -> None:
    """Add ``alpha`` times a whole update, of a sharded parameter each process its shard."""
    param.add_(laid_as(update_SRC.view(param.shape), param), alpha=alpha)
