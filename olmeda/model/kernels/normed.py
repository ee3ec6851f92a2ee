"""Norms and rotations of whole tensors by the loops of ``normed_rows``, on all threads.

Shapes: ``N`` rows, ``D`` numbers of a row that are normalised or turned, ``W`` width of a norm (D,
or a part of it: then each part of a row has a norm of its own).
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from olmeda.model.kernels.normed_rows import (
    OPERATIONS,
    ROWS,
    Rows,
    norm_grad_rows,
    norm_rows,
    sum_parts,
    turn_rows,
)
from olmeda.model.kernels.threads import in_parts


def normed_into(
    out_ND: Tensor, x_ND: Tensor, weight_W: Tensor, eps: float, beside_ND: Tensor | None = None
) -> None:
    """Write the norms of rows, times the weight, to ``out_ND``; plus ``beside_ND``."""
    out, x = _rows(out_ND), _rows(x_ND)
    beside = (0, 0) if beside_ND is None else _rows(beside_ND)
    width, groups = _parts(x_ND, weight_W)
    weight = weight_W.data_ptr()
    in_parts(
        lambda first, end: norm_rows(
            out, x, beside, weight, groups, width, eps, *_places(x_ND, first, end)
        ),
        _costs(x_ND),
    )


def normed_grad_into(
    out_ND: Tensor, grad_ND: Tensor, x_ND: Tensor, weight_W: Tensor, eps: float
) -> Tensor:
    """Write the gradient of ``x_ND`` to ``out_ND`` (which may be ``grad_ND``); the weight's."""
    out, grad, x = _rows(out_ND), _rows(grad_ND), _rows(x_ND)
    width, groups = _parts(x_ND, weight_W)
    costs, weight = _costs(x_ND), weight_W.data_ptr()
    parts_IW = weight_W.new_empty(len(costs), width)
    parts = parts_IW.data_ptr()
    in_parts(
        lambda first, end: norm_grad_rows(
            out, grad, x, parts, weight, groups, width, eps, *_places(x_ND, first, end)
        ),
        costs,
    )
    grad_weight_W = torch.empty_like(weight_W)
    sum_parts(grad_weight_W.data_ptr(), parts, len(costs), width)
    return grad_weight_W


def turned_into(out_ND: Tensor, x_ND: Tensor, cos: Tensor, sin: Tensor, way: float = 1.0) -> None:
    """Write rows of heads turned by their positions to ``out_ND`` (which may be ``x_ND``).

    cos, sin ``[T, C/2]`` in one piece; row n stands at position n modulo T. ``way`` -1 turns back.
    """
    out, x = _rows(out_ND), _rows(x_ND)
    length, half = cos.shape
    tables, heads = (cos.data_ptr(), sin.data_ptr()), x_ND.shape[1] // (2 * half)
    in_parts(
        lambda first, end: turn_rows(
            out, x, tables, length, heads, half, way, *_places(x_ND, first, end)
        ),
        _costs(x_ND),
    )


def _rows(x_ND: Tensor) -> Rows:
    return x_ND.data_ptr(), x_ND.stride(0) * 4


def _parts(x_ND: Tensor, weight_W: Tensor) -> tuple[int, int]:
    return len(weight_W), x_ND.shape[1] // len(weight_W)


def _places(x_ND: Tensor, first: int, end: int) -> tuple[int, int]:
    return first * ROWS, min(end * ROWS, len(x_ND))


def _costs(x_ND: Tensor) -> np.ndarray:
    return np.full(-(-len(x_ND) // ROWS), ROWS * x_ND.shape[1] * OPERATIONS)
