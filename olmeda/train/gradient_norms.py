"""The norm of each parameter's gradient, before clipping."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor


def gradient_norms(model: nn.Module) -> Mapping[str, Any]:
    """An inspector: ``grad_norms``, the Euclidean norm by the parameter's name.

    A gradient that lies in pieces on several processes counts as a whole; every process of the
    world has to call this. Parameters without a gradient (an expert nobody visited) are left out.
    """
    held = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    if not held:
        return {"grad_norms": {}}
    norms = [_whole(torch.linalg.vector_norm(grad, dtype=torch.float32)) for grad in held.values()]
    values = torch.stack(norms).tolist()  # one wait for the device
    return {"grad_norms": dict(zip(map(_plain, held), values, strict=True))}


def _whole(norm: Tensor) -> Tensor:
    return norm.full_tensor() if isinstance(norm, DTensor) else norm


def _plain(name: str) -> str:
    """The name in the plain model: compiling and wrapping put words before it."""
    return name.replace("_orig_mod.", "").removeprefix("module.")
