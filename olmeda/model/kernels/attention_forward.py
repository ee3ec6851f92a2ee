"""Causal attention forward, block by block with a running softmax (arXiv:2205.14135).

``stretches`` hold first tokens and token counts; item ``i`` is stretch ``i // key_heads``, key head
``i % key_heads``. ``sums`` takes each token's and head's logsumexp in units of log 2.
"""

from __future__ import annotations

import math

import numpy as np

from olmeda.model.kernels.blocks import (
    QUERIES,
    Operand,
    add_rows,
    edges,
    gather,
    padded,
    products,
    span,
    turn,
)
from olmeda.model.kernels.compiled import compiled
from olmeda.model.kernels.rows import fill_zero, power, row_cap, row_exp, row_max, scale, write
from olmeda.model.kernels.tiles import BLOCK, ROWS
from olmeda.model.kernels.vectors import LOG2E, LOWEST


@compiled
def forward_scratch(longest: int, width: int) -> int:
    """Floats of scratch that ``forward`` uses."""
    return 2 * padded(longest) * width + 3 * QUERIES * width + QUERIES * BLOCK


@compiled
def forward(
    q: Operand, k: Operand, v: Operand, out: Operand, sums: int, stretches: np.ndarray,
    items: tuple[int, int], heads: tuple[int, int, int], window: int, cap: float, scratch: int,
) -> None:  # fmt: skip
    """Attend in the stretches and key heads ``items``; ``heads``: of queries, of keys, width."""
    width, shared = heads[2], heads[0] // heads[1]
    by = np.float32(LOG2E / math.sqrt(width))
    most, totals = np.empty(QUERIES, np.float32), np.empty(QUERIES, np.float32)
    for item in range(items[0], items[1]):
        begin, tokens = stretches[item // heads[1]]
        panels, values = scratch, scratch + padded(tokens) * width * 4
        rows = values + padded(tokens) * width * 4
        strips = rows + QUERIES * width * 4
        mixed = strips + QUERIES * width * 4
        block = mixed + QUERIES * width * 4
        gather(values, k, begin, tokens, item % heads[1], width, 1.0)
        turn(panels, values, tokens, width, 32, 1.0)
        gather(values, v, begin, tokens, item % heads[1], width, 1.0)
        for head in range(item % heads[1] * shared, (item % heads[1] + 1) * shared):
            for query in range(0, tokens, QUERIES):
                queries = min(QUERIES, tokens - query)
                gather(rows, q, begin + query, queries, head, width, by)
                turn(strips, rows, queries, width, 16, 1.0)
                fill_zero(mixed, QUERIES * width)
                most[:], totals[:] = LOWEST, 0
                first = max(0, query - window + 1) // BLOCK * BLOCK if window else 0
                for key in range(first, query + queries, BLOCK):
                    products(block, strips, panels, width, query, queries, key, window)
                    _mix(
                        block, mixed, values, width, query, queries, key, window, cap, most, totals
                    )
                for row in range(queries):
                    token = begin + query + row
                    place = out[0] + token * out[1] + head * out[2]
                    scale(place, mixed + row * width * 4, width, np.float32(1 / totals[row]))
                    total = np.float32(most[row] + math.log2(totals[row]))
                    write(total, sums, token * heads[0] + head)


@compiled
def _mix(
    block: int, mixed: int, values: int, width: int, query: int, queries: int, key: int,
    window: int, cap: float, most: np.ndarray, totals: np.ndarray,
) -> None:  # fmt: skip
    """Turn a block of scores into probabilities and add their share of the values."""
    for strip in range(0, queries, ROWS):
        end = min(strip + ROWS, queries)
        low, high = span(query + strip, query + end, key, window)
        if low >= high:
            continue
        for row in range(strip, end):
            scores, seen = block + row * BLOCK * 4, edges(query + row, low, high, key, window)
            if cap > 0:
                row_cap(scores, seen, np.float32(cap))
            before = most[row]
            most[row] = row_max(scores, seen, before)
            total = row_exp(scores, seen, most[row])
            if most[row] > before > LOWEST:
                less = power(before - most[row])
                scale(mixed + row * width * 4, mixed + row * width * 4, width, less)
                totals[row] *= less
            totals[row] += total
        at = mixed + strip * width * 4
        add_rows(at, block + strip * BLOCK * 4, values + key * width * 4, low, high, width)
