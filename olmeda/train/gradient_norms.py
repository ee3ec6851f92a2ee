"""The norm of each parameter's gradient, before clipping."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from olmeda.train.parallel import is_sharded, local, spread_meshes
from olmeda.train.world import ALONE, World


def gradient_norms(model: nn.Module, world: World = ALONE) -> Mapping[str, Any]:
    """``grad_norms``: the Euclidean norm by the parameter's name.

    A gradient that lies in pieces on several processes counts as a whole; every process of the
    world has to call this. A parameter without a gradient (an expert nobody visited) is left out.
    """
    held = dict(model.named_parameters())
    values = [float(square) for square in [_square(p.grad) for p in held.values()]]
    shares = [v / c for v, c in zip(values, _copies(model, world, list(held)), strict=True)]
    has_one = [float(p.grad is not None) for p in held.values()]
    totals = world.total(*shares, *has_one)
    norms = zip(held, totals[: len(held)], totals[len(held) :], strict=True)
    return {"grad_norms": {name: math.sqrt(square) for name, square, has in norms if has}}


def _square(grad: Tensor | None) -> Tensor:
    """The squared norm of what lies here, in float64."""
    if grad is None:
        return torch.zeros((), dtype=torch.float64)
    norm: Tensor = torch.linalg.vector_norm(local(grad), dtype=torch.float64)
    return norm.square()


def _copies(model: nn.Module, world: World, names: list[str]) -> list[int]:
    """How many processes hold the same of each parameter's gradient."""
    meshes = spread_meshes(model)
    rest = 1 if is_sharded(model) else world.size
    return [meshes[name].shape[0] if name in meshes else rest for name in names]
