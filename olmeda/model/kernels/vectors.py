"""Vectors of float32 in LLVM's language: what the kernels' loops over numbers are made of.

An address is an int64 and counts bytes; offsets and strides count floats. A vector is 16 wide
everywhere: LLVM splits it where registers are narrower.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils

LANES = 16
FLOAT, INT32, INT64 = ir.FloatType(), ir.IntType(32), ir.IntType(64)
VECTOR, INDICES = ir.VectorType(FLOAT, LANES), ir.VectorType(INT32, LANES)
LOWEST = -3e38
"""Below every score, and still finite."""
# 2^x on [-1/2, 1/2], interpolated at Chebyshev's points: relative error 2.6e-9
EXP2 = (
    0.9999999999595486, 0.6931472067106204, 0.2402265121359483, 0.05550327214209406,
    0.009618025602985998, 0.0013400432165225804, 0.000154697319723078,
)  # fmt: skip
LOG2E = 1.4426950408889634
Builder = Any
Value = Any


def constant(number: float) -> Value:
    """A vector of one number."""
    return ir.Constant(VECTOR, [float(number)] * LANES)


def count(number: int) -> Value:
    """An int64."""
    return ir.Constant(INT64, number)


def spread(b: Builder, scalar: Value, kind: Any = VECTOR) -> Value:
    """A vector of one scalar."""
    empty = ir.Constant(kind, ir.Undefined)
    first = b.insert_element(empty, scalar, ir.Constant(INT32, 0))
    return b.shuffle_vector(first, empty, ir.Constant(INDICES, [0] * LANES))


def call(b: Builder, name: str, result: Any, arguments: list[Value]) -> Value:
    """One of LLVM's own functions; sums may be taken in any order."""
    kind = ir.FunctionType(result, [a.type for a in arguments])
    function = cgutils.get_or_insert_function(b.module, kind, name)
    return b.call(function, arguments, fastmath=("reassoc",))


def multiply_add(b: Builder, x: Value, y: Value, z: Value) -> Value:
    """``x y + z``."""
    return call(b, f"llvm.fmuladd.v{LANES}f32", VECTOR, [x, y, z])


def larger(b: Builder, x: Value, y: Value) -> Value:
    """The larger number of each lane; ``y`` where ``x`` is NaN."""
    return b.select(b.fcmp_ordered(">", x, y), x, y)


def largest_lane(b: Builder, x: Value) -> Value:
    """The largest number of a vector without NaN."""
    kind = ir.FunctionType(FLOAT, [VECTOR])
    name = f"llvm.vector.reduce.fmax.v{LANES}f32"
    function = cgutils.get_or_insert_function(b.module, kind, name)
    return b.call(function, [x], fastmath=("nnan",))


def summed_lanes(b: Builder, x: Value) -> Value:
    """The sum of a vector."""
    return call(b, f"llvm.vector.reduce.fadd.v{LANES}f32", FLOAT, [ir.Constant(FLOAT, 0.0), x])


def pointer(b: Builder, address: Value, offset: Value) -> Value:
    """``offset`` floats behind ``address``."""
    return b.gep(b.inttoptr(address, FLOAT.as_pointer()), [offset])


def load(b: Builder, address: Value, offset: Value) -> Value:
    """The vector ``offset`` floats behind ``address``."""
    return b.load(b.bitcast(pointer(b, address, offset), VECTOR.as_pointer()), align=4)


def store(b: Builder, vector: Value, address: Value, offset: Value) -> None:
    """Write a vector ``offset`` floats behind ``address``."""
    b.store(vector, b.bitcast(pointer(b, address, offset), VECTOR.as_pointer()), align=4)


def exp2(b: Builder, x: Value) -> Value:
    """``2^x`` to the last bit or two; below -126 the smallest normal number; of NaN, NaN."""
    low = constant(-126.0)
    x = b.select(b.fcmp_unordered(">", x, low), x, low)
    whole = call(b, f"llvm.rint.v{LANES}f32", VECTOR, [x])
    rest = b.fsub(x, whole)
    power = constant(EXP2[-1])
    for coefficient in reversed(EXP2[:-1]):
        power = multiply_add(b, power, rest, constant(coefficient))
    exponent = b.shl(b.fptosi(whole, INDICES), ir.Constant(INDICES, [23] * LANES))
    return b.bitcast(b.add(b.bitcast(power, INDICES), exponent), VECTOR)


def tanh(b: Builder, x: Value) -> Value:
    """``1 - 2 / (e^2x + 1)``."""
    doubled, high = b.fmul(x, constant(2 * LOG2E)), constant(126.0)
    bounded = b.select(b.fcmp_unordered("<", doubled, high), doubled, high)  # NaN stays
    share = b.fdiv(constant(2.0), b.fadd(exp2(b, bounded), constant(1.0)))
    return b.fsub(constant(1.0), share)


def within(b: Builder, at: Value, first: Value, last: Value) -> Value:
    """Which lanes, the first of them standing at ``at``, lie in ``[first, last)``."""
    lanes = ir.Constant(INDICES, list(range(LANES)))
    places = b.add(spread(b, b.trunc(at, INT32), INDICES), lanes)
    low, high = (spread(b, b.trunc(edge, INT32), INDICES) for edge in (first, last))
    return b.and_(b.icmp_signed(">=", places, low), b.icmp_signed("<", places, high))
