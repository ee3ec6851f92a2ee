"""Products of small matrices held in registers: 8 rows by 16 or 32 columns, summed over ``k``.

Everything else in attention feeds these. Measured from the first-level cache on a Zen 4 core, 32
steps of ``k``: 110 to 117 GFLOP/s, where torch's product of two 2048 x 2048 matrices reaches 92.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import llvmlite.binding
from numba import types
from numba.core import cgutils, config
from numba.extending import intrinsic

from olmeda.model.kernels.vectors import (
    LANES,
    VECTOR,
    Builder,
    Value,
    constant,
    count,
    load,
    multiply_add,
    pointer,
    spread,
    store,
)

ROWS = 8
BLOCK = 128
"""Keys treated at once: the row length of the blocks of scores and probabilities."""
Tile = Callable[[int, int, int, int, int, int, bool], None]


def _register_tile() -> tuple[int, int]:
    """Rows and vectors whose sums fit the registers: 16 of AVX-512's 32, else 8 of 16."""
    asked = config.CPU_FEATURES
    features = llvmlite.binding.get_host_cpu_features().flatten() if asked is None else asked
    return (ROWS, 2) if "+avx512f" in features.split(",") else (ROWS // 2, 1)


def _emit(
    b: Builder, arguments: list[Value], steps: tuple[int, int], rows: range, at: range
) -> None:
    """The sums of some rows and vectors of a tile, from first to last in registers."""
    out, out_step, left, right, right_step, length, fresh = arguments
    places = [(r, n, b.add(b.mul(out_step, count(r)), count(n * LANES))) for r in rows for n in at]
    sums = {(r, n): cgutils.alloca_once(b, VECTOR) for r, n, _ in places}
    with b.if_else(fresh) as (begin, go_on):
        with begin:
            for r, n, _ in places:
                b.store(constant(0.0), sums[r, n])
        with go_on:
            for r, n, place in places:
                b.store(load(b, out, place), sums[r, n])
    with cgutils.for_range(b, length, intp=length.type) as loop:
        factors = pointer(b, left, b.mul(loop.index, count(steps[1])))
        begins = b.mul(loop.index, right_step)
        vectors = {n: load(b, right, b.add(begins, count(n * LANES))) for n in at}
        for r in rows:
            factor = spread(b, b.load(b.gep(factors, [count(r * steps[0])])))
            for n in at:
                b.store(multiply_add(b, factor, vectors[n], b.load(sums[r, n])), sums[r, n])
    for r, n, place in places:
        store(b, b.load(sums[r, n]), out, place)


def _tile(vectors: int, row_step: int, k_step: int) -> Tile:
    """``tile(out, out_step, left, right, right_step, length, fresh)``.

    ``out[r, n] (+)= sum_k left[r * row_step + k * k_step] * right[k * right_step + n]``; ``fresh``:
    begin from zeros, not from what ``out`` holds. ``out``, ``left``, ``right`` are addresses.
    """

    def tile(
        typing: Any, out: Any, out_step: Any, left: Any, right: Any, right_step: Any, length: Any,
        fresh: Any,
    ) -> Any:  # fmt: skip
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            height, width = _register_tile()
            for row in range(0, ROWS, height):
                for first in range(0, vectors, width):
                    at = range(first, min(first + width, vectors))
                    _emit(builder, arguments, (row_step, k_step), range(row, row + height), at)
            return context.get_dummy_value()

        return types.void(*[types.int64] * 6, types.boolean), generate

    return cast(Tile, intrinsic(tile))


strips_by_panel = _tile(2, 1, LANES)
"""``left`` is half a panel 16 wide: the products of queries with 32 keys."""
rows_by_two, rows_by_one = _tile(2, BLOCK, 1), _tile(1, BLOCK, 1)
"""``left`` is 8 rows of a block: probabilities times values."""
columns_by_two, columns_by_one = _tile(2, 1, BLOCK), _tile(1, 1, BLOCK)
"""``left`` is 8 columns of a block: the same transposed, for gradients of keys and values."""
