"""Softmax over one row of scores at a time, and its gradient; packing of rows. In vectors.

Scores are in units of log 2. Of a row the vectors from ``edges[0]`` to ``edges[3]`` are written;
those between ``edges[1]`` and ``edges[2]`` are seen whole, in the others only the columns from
``edges[4]`` to ``edges[5]``: elsewhere a probability is 0.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from olmeda.model.kernels.vectors import (
    FLOAT,
    INDICES,
    INT32,
    LANES,
    LOWEST,
    VECTOR,
    Builder,
    Value,
    constant,
    count,
    exp2,
    larger,
    largest_lane,
    load,
    multiply_add,
    pointer,
    spread,
    store,
    summed_lanes,
    tanh,
    within,
)

Edges = tuple[int, int, int, int, int, int]
Number = float | np.float32
EDGES = types.UniTuple(types.int64, 6)


def _each(b: Builder, first: Value, last: Value, body: Callable[[Value], None]) -> None:
    with cgutils.for_range_slice(b, first, last, count(LANES), intp=first.type) as (at, _):
        body(at)


def _each_seen(
    b: Builder, edges: Value, body: Callable[[Value, Callable[[Value, float], Value]], None]
) -> None:
    """Call ``body(at, hide)`` for every vector; ``hide(x, instead)`` replaces unseen columns."""
    begin, whole, ragged, end, low, high = cgutils.unpack_tuple(b, edges)

    def hidden(at: Value) -> None:
        seen = within(b, at, low, high)
        body(at, lambda x, instead: b.select(seen, x, constant(instead)))

    _each(b, begin, whole, hidden)
    _each(b, whole, ragged, lambda at: body(at, lambda x, _: x))
    _each(b, ragged, end, hidden)


def _row_max(typing: Any, scores: Any, edges: Any, least: Any) -> Any:
    def generate(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
        scores, edges, least = arguments
        held = cgutils.alloca_once(b, VECTOR)
        b.store(spread(b, least), held)

        def body(at: Value, hide: Any) -> None:
            b.store(larger(b, hide(load(b, scores, at), LOWEST), b.load(held)), held)

        _each_seen(b, edges, body)
        return largest_lane(b, b.load(held))

    return types.float32(types.int64, EDGES, types.float32), generate


def _row_exp(typing: Any, scores: Any, edges: Any, most: Any) -> Any:
    def generate(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
        scores, edges, most = arguments
        held, most = cgutils.alloca_once(b, VECTOR), spread(b, most)
        b.store(constant(0.0), held)

        def body(at: Value, hide: Any) -> None:
            power = hide(exp2(b, b.fsub(load(b, scores, at), most)), 0.0)
            store(b, power, scores, at)
            b.store(b.fadd(power, b.load(held)), held)

        _each_seen(b, edges, body)
        return summed_lanes(b, b.load(held))

    return types.float32(types.int64, EDGES, types.float32), generate


def _row_cap(typing: Any, scores: Any, edges: Any, cap: Any) -> Any:
    def generate(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
        scores, edges, cap = arguments
        by, cap = spread(b, b.fdiv(ir.Constant(FLOAT, 1.0), cap)), spread(b, cap)

        def body(at: Value, hide: Any) -> None:
            bent = tanh(b, b.fmul(load(b, scores, at), by))
            store(b, b.fmul(bent, cap), scores, at)

        _each_seen(b, edges, body)
        return context.get_dummy_value()

    return types.void(types.int64, EDGES, types.float32), generate


def _row_grad(
    typing: Any, scores: Any, grads: Any, edges: Any, sum_: Any, mean: Any, cap: Any
) -> Any:
    def generate(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
        scores, grads, edges, total, mean, cap = arguments
        by, capped = b.fdiv(ir.Constant(FLOAT, 1.0), cap), b.fcmp_ordered(">", cap, cap.type(0.0))
        by, cap, total, mean = (spread(b, x) for x in (by, cap, total, mean))

        def body(at: Value, hide: Any, bent: bool) -> None:
            score = load(b, scores, at)
            if bent:
                share = tanh(b, b.fmul(score, by))
                score = b.fmul(share, cap)
            prob = hide(exp2(b, b.fsub(score, total)), 0.0)
            store(b, prob, scores, at)
            grad = hide(b.fmul(prob, b.fsub(load(b, grads, at), mean)), 0.0)
            if bent:
                grad = b.fmul(grad, b.fsub(constant(1.0), b.fmul(share, share)))
            store(b, grad, grads, at)

        with b.if_else(capped) as (then, otherwise):
            with then:
                _each_seen(b, edges, lambda at, hide: body(at, hide, True))
            with otherwise:
                _each_seen(b, edges, lambda at, hide: body(at, hide, False))
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, EDGES, *[types.float32] * 3), generate


def _scale(typing: Any, out: Any, row: Any, length: Any, factor: Any) -> Any:
    def generate(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
        out, row, length, factor = arguments
        factor = spread(b, factor)
        _each(b, count(0), length, lambda at: store(b, b.fmul(load(b, row, at), factor), out, at))
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64, types.float32), generate


def _fill_zero(typing: Any, out: Any, length: Any) -> Any:
    def generate(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
        out, length = arguments
        _each(b, count(0), length, lambda at: store(b, constant(0.0), out, at))
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), generate


def _dot(typing: Any, left: Any, right: Any, length: Any) -> Any:
    def generate(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
        left, right, length = arguments
        held = cgutils.alloca_once(b, VECTOR)
        b.store(constant(0.0), held)

        def body(at: Value) -> None:
            both = load(b, left, at), load(b, right, at)
            b.store(multiply_add(b, *both, b.load(held)), held)

        _each(b, count(0), length, body)
        return summed_lanes(b, b.load(held))

    return types.float32(types.int64, types.int64, types.int64), generate


def _transpose(typing: Any, out: Any, out_step: Any, rows: Any, step: Any, factor: Any) -> Any:
    def generate(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
        out, out_step, rows, step, factor = arguments
        factor, half = spread(b, factor), LANES // 2
        held = [b.fmul(load(b, rows, b.mul(step, count(j))), factor) for j in range(LANES)]
        zips = [
            ir.Constant(INDICES, [x for i in range(begin, begin + half) for x in (i, LANES + i)])
            for begin in (0, half)
        ]
        # each round zips vector i with vector i + 8; after log2(16) rounds rows are columns
        for _ in range(4):
            held = [b.shuffle_vector(held[i], held[i + half], z) for i in range(half) for z in zips]
        for column, vector in enumerate(held):
            store(b, vector, out, b.mul(out_step, count(column)))
        return context.get_dummy_value()

    return types.void(*[types.int64] * 4, types.float32), generate


def _power(typing: Any, x: Any) -> Any:
    def generate(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
        return b.extract_element(exp2(b, spread(b, arguments[0])), ir.Constant(INT32, 0))

    return types.float32(types.float32), generate


def _read(typing: Any, address: Any, offset: Any) -> Any:
    def generate(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
        return b.load(pointer(b, *arguments))

    return types.float32(types.int64, types.int64), generate


def _write(typing: Any, number: Any, address: Any, offset: Any) -> Any:
    def generate(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
        b.store(arguments[0], pointer(b, *arguments[1:]))
        return context.get_dummy_value()

    return types.void(types.float32, types.int64, types.int64), generate


row_max = cast(Callable[[int, Edges, Number], float], intrinsic(_row_max))
"""``row_max(scores, edges, least)``: the largest of the seen scores and ``least``."""
row_exp = cast(Callable[[int, Edges, Number], float], intrinsic(_row_exp))
"""``row_exp(scores, edges, most)``: put ``2^(score - most)`` in their place; their sum."""
row_cap = cast(Callable[[int, Edges, Number], None], intrinsic(_row_cap))
"""``row_cap(scores, edges, cap)``: put ``cap tanh(score / cap)`` in their place."""
row_grad = cast(Callable[[int, int, Edges, Number, Number, Number], None], intrinsic(_row_grad))
"""``row_grad(scores, grads, edges, logsumexp, mean, cap)``: scores become probabilities ``p``
and gradients of these become ``p (grad - mean)``, those of the scores; ``cap`` 0 bends none."""
scale = cast(Callable[[int, int, int, Number], None], intrinsic(_scale))
"""``scale(out, row, length, factor)``: ``out = row * factor``."""
fill_zero = cast(Callable[[int, int], None], intrinsic(_fill_zero))
"""``fill_zero(out, length)``."""
dot = cast(Callable[[int, int, int], float], intrinsic(_dot))
"""``dot(left, right, length)``: the sum of products."""
transpose = cast(Callable[[int, int, int, int, Number], None], intrinsic(_transpose))
"""``transpose(out, out_step, rows, step, factor)``: 16 x 16 numbers, times ``factor``."""
power = cast(Callable[[Number], float], intrinsic(_power))
"""``power(x)``: ``2^x``."""
read = cast(Callable[[int, int], float], intrinsic(_read))
"""``read(address, offset)``: one number."""
write = cast(Callable[[Number, int, int], None], intrinsic(_write))
"""``write(number, address, offset)``."""
