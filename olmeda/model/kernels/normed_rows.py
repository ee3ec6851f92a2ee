"""Rows normalised by their root mean square and turned by their positions, and both undone.

Addresses and steps between rows are in bytes; weights and tables lie in one piece. Weights'
gradients are summed over items of ``ROWS`` rows first, then over the items in their order: the same
bits on any number of threads.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, cast

import numpy as np
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from olmeda.model.kernels.compiled import compiled
from olmeda.model.kernels.rows import Number, dot, fill_zero
from olmeda.model.kernels.vectors import (
    LANES,
    Value,
    constant,
    count,
    load,
    multiply_add,
    spread,
    store,
    summed_lanes,
)

ROWS = 64
"""Rows of one item of work."""
OPERATIONS = 8
"""Of one number, about: what decides whether threads are worth it."""
Rows = tuple[int, int]
"""Where the first row begins, and how far apart rows are."""


def _each(b: Any, length: Value, body: Callable[[Value], None]) -> None:
    with cgutils.for_range_slice(b, count(0), length, count(LANES), intp=length.type) as (at, _):
        body(at)


def _weigh(typing: Any, out: Any, x: Any, weight: Any, beside: Any, length: Any, by: Any) -> Any:
    def generate(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
        out, x, weight, beside, length, by = arguments
        by = spread(b, by)

        def normed(at: Value) -> Value:
            return b.fmul(b.fmul(load(b, x, at), by), load(b, weight, at))

        with b.if_else(b.icmp_signed("==", beside, count(0))) as (alone, added):
            with alone:
                _each(b, length, lambda at: store(b, normed(at), out, at))
            with added:
                _each(b, length, lambda at: store(
                    b, b.fadd(load(b, beside, at), normed(at)), out, at
                ))  # fmt: skip
        return context.get_dummy_value()

    return types.void(*[types.int64] * 5, types.float32), generate


def _dot_of_three(typing: Any, x: Any, y: Any, z: Any, length: Any) -> Any:
    def generate(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
        x, y, z, length = arguments
        held = cgutils.alloca_once(b, constant(0.0).type)
        b.store(constant(0.0), held)

        def body(at: Value) -> None:
            both = b.fmul(load(b, x, at), load(b, y, at))
            b.store(multiply_add(b, both, load(b, z, at), b.load(held)), held)

        _each(b, length, body)
        return summed_lanes(b, b.load(held))

    return types.float32(*[types.int64] * 4), generate


def _norm_grad(
    typing: Any, out: Any, weights: Any, grad: Any, x: Any, weight: Any, length: Any, by: Any,
    share: Any,
) -> Any:  # fmt: skip
    def generate(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
        out, weights, grad, x, weight, length, by, share = arguments
        by, share = spread(b, by), spread(b, share)

        def body(at: Value) -> None:
            number, slope = load(b, x, at), b.fmul(load(b, grad, at), by)
            store(b, multiply_add(b, slope, number, load(b, weights, at)), weights, at)
            along = b.fmul(number, share)
            store(b, b.fsub(b.fmul(slope, load(b, weight, at)), along), out, at)

        _each(b, length, body)
        return context.get_dummy_value()

    return types.void(*[types.int64] * 6, *[types.float32] * 2), generate


def _turn(typing: Any, out: Any, x: Any, cos: Any, sin: Any, half: Any, way: Any) -> Any:
    def generate(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
        out, x, cos, sin, half, way = arguments
        way = spread(b, way)

        def body(at: Value) -> None:
            behind = b.add(at, half)
            first, second = load(b, x, at), load(b, x, behind)
            c, s = load(b, cos, at), b.fmul(load(b, sin, at), way)
            store(b, b.fsub(b.fmul(first, c), b.fmul(second, s)), out, at)
            store(b, multiply_add(b, first, s, b.fmul(second, c)), out, behind)

        _each(b, half, body)
        return context.get_dummy_value()

    return types.void(*[types.int64] * 5, types.float32), generate


def _add(typing: Any, out: Any, row: Any, length: Any) -> Any:
    def generate(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
        out, row, length = arguments
        _each(b, length, lambda at: store(b, b.fadd(load(b, out, at), load(b, row, at)), out, at))
        return context.get_dummy_value()

    return types.void(*[types.int64] * 3), generate


_weighed = cast(Callable[[int, int, int, int, int, Number], None], intrinsic(_weigh))
_dot3 = cast(Callable[[int, int, int, int], float], intrinsic(_dot_of_three))
_grad_row = cast(
    Callable[[int, int, int, int, int, int, Number, Number], None], intrinsic(_norm_grad)
)
_turned = cast(Callable[[int, int, int, int, int, Number], None], intrinsic(_turn))
_added = cast(Callable[[int, int, int], None], intrinsic(_add))


@compiled
def _scale(x: int, width: int, eps: float) -> float:
    return 1.0 / math.sqrt(dot(x, x, width) / width + eps)


@compiled
def norm_rows(
    out: Rows, x: Rows, beside: Rows, weight: int, groups: int, width: int, eps: float,
    first: int, end: int,
) -> None:  # fmt: skip
    """``groups`` norms of ``width`` numbers in each row; plus rows ``beside``, unless that is 0."""
    for row in range(first, end):
        for group in range(groups):
            within = group * width * 4
            place = x[0] + row * x[1] + within
            other = beside[0] + row * beside[1] + within if beside[0] else 0
            by = np.float32(_scale(place, width, eps))
            _weighed(out[0] + row * out[1] + within, place, weight, other, width, by)


@compiled
def norm_grad_rows(
    out: Rows, grad: Rows, x: Rows, parts: int, weight: int, groups: int, width: int, eps: float,
    first: int, end: int,
) -> None:  # fmt: skip
    """The gradient of ``x``, into ``out`` (which may be ``grad``), and of weights by item.

    Row ``i`` of ``parts`` is what item ``i`` finds.
    """
    for row in range(first, end):
        sums = parts + row // ROWS * width * 4
        if row % ROWS == 0:
            fill_zero(sums, width)
        for group in range(groups):
            within = group * width * 4
            place, slope = x[0] + row * x[1] + within, grad[0] + row * grad[1] + within
            by = _scale(place, width, eps)
            share = _dot3(place, slope, weight, width) * by * by * by / width
            to = out[0] + row * out[1] + within
            _grad_row(to, sums, slope, place, weight, width, np.float32(by), np.float32(share))


@compiled
def turn_rows(
    out: Rows, x: Rows, tables: tuple[int, int], length: int, heads: int, half: int, way: Number,
    first: int, end: int,
) -> None:  # fmt: skip
    """Turn every head of rows whose positions count from 0 to ``length`` again and again.

    ``way`` -1 turns back.
    """
    for row in range(first, end):
        place = row % length * half * 4
        for head in range(heads):
            within = head * half * 8
            to, of = out[0] + row * out[1] + within, x[0] + row * x[1] + within
            _turned(to, of, tables[0] + place, tables[1] + place, half, way)


@compiled
def sum_parts(out: int, parts: int, items: int, width: int) -> None:
    """Sum the rows of ``parts`` in their order."""
    fill_zero(out, width)
    for item in range(items):
        _added(out, parts + item * width * 4, width)
