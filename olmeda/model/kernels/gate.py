"""``silu(gate) * up`` and its gradient over rows ``[gate, up]``, in vectors: one pass over memory.

Shapes: ``N`` tokens, ``F`` hidden width, ``G`` = 2 F.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from torch import Tensor

from olmeda.model.kernels.compiled import compiled
from olmeda.model.kernels.rows import read, write
from olmeda.model.kernels.threads import in_parts
from olmeda.model.kernels.vectors import (
    LANES,
    Builder,
    Value,
    constant,
    count,
    exp2,
    load,
    multiply_add,
    spread,
    store,
    summed_lanes,
)

ROWS = 64
"""Rows of one item of work."""
OPERATIONS = 40
"""Of one number, about: what decides whether threads are worth it."""


def _sigmoid(b: Builder, x: Value) -> Value:
    turned = b.fmul(x, constant(-1.4426950408889634))
    bounded = b.select(b.fcmp_ordered("<", turned, constant(126.0)), turned, constant(126.0))
    return b.fdiv(constant(1.0), b.fadd(exp2(b, bounded), constant(1.0)))


def _gate_row(typing: Any, out: Any, both: Any, width: Any) -> Any:
    def generate(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
        out, both, width = arguments
        step = count(LANES)
        with cgutils.for_range_slice(b, count(0), width, step, intp=width.type) as (at, _):
            gate, up = load(b, both, at), load(b, both, b.add(at, width))
            store(b, b.fmul(b.fmul(gate, _sigmoid(b, gate)), up), out, at)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64), generate


def _gate_grad_row(typing: Any, grads: Any, both: Any, grad: Any, width: Any) -> Any:
    def generate(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
        grads, both, grad, width = arguments
        step = count(LANES)
        with cgutils.for_range_slice(b, count(0), width, step, intp=width.type) as (at, _):
            behind = b.add(at, width)
            gate, up, slope = load(b, both, at), load(b, both, behind), load(b, grad, at)
            share = _sigmoid(b, gate)
            silu = b.fmul(gate, share)
            store(b, b.fmul(slope, silu), grads, behind)
            # d silu(a) / da = s + silu(a) (1 - s), where s = sigmoid(a)
            inner = b.fadd(share, b.fmul(silu, b.fsub(constant(1.0), share)))
            store(b, b.fmul(b.fmul(slope, up), inner), grads, at)
        return context.get_dummy_value()

    return types.void(*[types.int64] * 4), generate


def _visit_row(typing: Any, out: Any, both: Any, width: Any, weight: Any) -> Any:
    def generate(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
        out, both, width, weight = arguments
        step, weight = count(LANES), spread(b, weight)
        with cgutils.for_range_slice(b, count(0), width, step, intp=width.type) as (at, _):
            gate, up = load(b, both, at), load(b, both, b.add(at, width))
            gated = b.fmul(b.fmul(gate, _sigmoid(b, gate)), up)
            store(b, b.fmul(gated, weight), out, at)
        return context.get_dummy_value()

    return types.void(*[types.int64] * 3, types.float32), generate


def _visit_grad_row(
    typing: Any, out: Any, grads: Any, both: Any, grad: Any, width: Any, weight: Any
) -> Any:
    def generate(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
        out, grads, both, grad, width, weight = arguments
        step, weight = count(LANES), spread(b, weight)
        held = cgutils.alloca_once(b, constant(0.0).type)
        b.store(constant(0.0), held)
        with cgutils.for_range_slice(b, count(0), width, step, intp=width.type) as (at, _):
            behind = b.add(at, width)
            gate, up, slope = load(b, both, at), load(b, both, behind), load(b, grad, at)
            share = _sigmoid(b, gate)
            silu = b.fmul(gate, share)
            gated = b.fmul(silu, up)
            b.store(multiply_add(b, gated, slope, b.load(held)), held)
            slope = b.fmul(slope, weight)
            inner = b.fadd(share, b.fmul(silu, b.fsub(constant(1.0), share)))
            store(b, b.fmul(slope, silu), grads, behind)
            store(b, b.fmul(b.fmul(slope, up), inner), grads, at)
            store(b, b.fmul(gated, weight), out, at)
        return summed_lanes(b, b.load(held))

    return types.float32(*[types.int64] * 5, types.float32), generate


_visit = cast(Callable[[int, int, int, float], None], intrinsic(_visit_row))
_visit_grad = cast(Callable[[int, int, int, int, int, float], float], intrinsic(_visit_grad_row))
_row = cast(Callable[[int, int, int], None], intrinsic(_gate_row))
_grad_row = cast(Callable[[int, int, int, int], None], intrinsic(_gate_grad_row))


@compiled
def _rows(out: int, both: int, width: int, first: int, end: int) -> None:
    for row in range(first, end):
        _row(out + row * width * 4, both + row * width * 8, width)


@compiled
def _grad_rows(grads: int, both: int, grad: int, width: int, first: int, end: int) -> None:
    for row in range(first, end):
        place = row * width * 8
        _grad_row(grads + place, both + place, grad + row * width * 4, width)


@compiled
def _visit_rows(
    out: int, both: int, weights: int, step: int, width: int, first: int, end: int
) -> None:
    for row in range(first, end):
        _visit(out + row * width * 4, both + row * width * 8, width, read(weights, row * step))


@compiled
def _visit_grad_rows(
    out: int, grads: int, both: int, grad: int, weights: int, steps: tuple[int, int], sums: int,
    width: int, first: int, end: int,
) -> None:  # fmt: skip
    for row in range(first, end):
        place, within = row * width * 8, row * width * 4
        weight = read(weights, row * steps[0])
        found = _visit_grad(out + within, grads + place, both + place, grad + within, width, weight)
        write(found, sums, row * steps[1])


def gate_into(out_NF: Tensor, both_NG: Tensor) -> None:
    """Write ``silu(gate) * up`` of contiguous rows to ``out_NF``."""
    rows, width = out_NF.shape
    out, both = out_NF.data_ptr(), both_NG.data_ptr()
    in_parts(
        lambda first, end: _rows(out, both, width, first * ROWS, min(end * ROWS, rows)),
        _costs(rows, width),
    )


def gate_grad_into(grad_both_NG: Tensor, both_NG: Tensor, grad_NF: Tensor) -> None:
    """Write the gradient of ``both_NG`` given that of the result; all contiguous."""
    rows, width = grad_NF.shape
    grads, both, grad = grad_both_NG.data_ptr(), both_NG.data_ptr(), grad_NF.data_ptr()
    in_parts(
        lambda first, end: _grad_rows(
            grads, both, grad, width, first * ROWS, min(end * ROWS, rows)
        ),
        _costs(rows, width),
    )


def visits_into(out_NF: Tensor, both_NG: Tensor, weight_N: Tensor) -> None:
    """Write ``silu(gate) * up`` of contiguous rows, times the weight of each, to ``out_NF``."""
    rows, width = out_NF.shape
    out, both, weights, step = (
        out_NF.data_ptr(), both_NG.data_ptr(), weight_N.data_ptr(), weight_N.stride(0),
    )  # fmt: skip
    in_parts(
        lambda first, end: _visit_rows(
            out, both, weights, step, width, first * ROWS, min(end * ROWS, rows)
        ),
        _costs(rows, width),
    )


def visits_grad_into(
    out_NF: Tensor, grad_both_NG: Tensor, both_NG: Tensor, grad_NF: Tensor, weight_N: Tensor,
    grad_weight_N: Tensor,
) -> None:  # fmt: skip
    """``visits_into`` again, and the gradients of the rows and of their weights."""
    rows, width = out_NF.shape
    tensors = (out_NF, grad_both_NG, both_NG, grad_NF, weight_N)
    out, grads, both, grad, weights = (t.data_ptr() for t in tensors)
    steps, sums = (weight_N.stride(0), grad_weight_N.stride(0)), grad_weight_N.data_ptr()
    in_parts(
        lambda first, end: _visit_grad_rows(
            out,
            grads,
            both,
            grad,
            weights,
            steps,
            sums,
            width,
            first * ROWS,
            min(end * ROWS, rows),
        ),
        _costs(rows, width),
    )


def _costs(rows: int, width: int) -> np.ndarray:
    return np.full(-(-rows // ROWS), ROWS * width * OPERATIONS)
