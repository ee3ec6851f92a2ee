"""The gradient of causal attention, block by block: probabilities are made anew from the scores.

Operands, items and stretches as in ``attention_forward``.
"""

from __future__ import annotations

import math

import numpy as np

from olmeda.model.kernels.blocks import (
    QUERIES,
    Operand,
    add_columns,
    add_rows,
    edges,
    gather,
    padded,
    products,
    scatter,
    span,
    turn,
)
from olmeda.model.kernels.compiled import compiled
from olmeda.model.kernels.rows import dot, fill_zero, read, row_grad, scale
from olmeda.model.kernels.tiles import BLOCK, ROWS
from olmeda.model.kernels.vectors import LOG2E


@compiled
def backward_scratch(longest: int, width: int) -> int:
    """Floats of scratch that ``backward`` uses."""
    return 5 * padded(longest) * width + 5 * QUERIES * width + 2 * QUERIES * BLOCK


@compiled
def backward(
    q: Operand, k: Operand, v: Operand, out: Operand, sums: int, grad: Operand, grad_q: Operand,
    grad_k: Operand, grad_v: Operand, stretches: np.ndarray, items: tuple[int, int],
    heads: tuple[int, int, int], window: int, cap: float, scratch: int,
) -> None:  # fmt: skip
    """Gradients of queries, keys and values of ``items``, given that of the output."""
    shared, width = heads[0] // heads[1], heads[2]
    means, totals = np.empty(QUERIES, np.float32), np.empty(QUERIES, np.float32)
    for item in range(items[0], items[1]):
        begin, tokens = stretches[item // heads[1]]
        of_key, size = item % heads[1], padded(tokens) * width * 4
        keys, key_panels, value_panels = scratch, scratch + size, scratch + 2 * size
        to_keys, to_values = scratch + 3 * size, scratch + 4 * size
        strips = scratch + 5 * size
        gather(keys, v, begin, tokens, of_key, width, 1.0)
        turn(value_panels, keys, tokens, width, 32, 1.0)
        gather(keys, k, begin, tokens, of_key, width, 1.0)
        turn(key_panels, keys, tokens, width, 32, 1.0)
        fill_zero(to_keys, 2 * padded(tokens) * width)
        for head in range(of_key * shared, (of_key + 1) * shared):
            for query in range(0, tokens, QUERIES):
                queries = min(QUERIES, tokens - query)
                _prepare(strips, q, grad, begin + query, queries, head, width)
                for row in range(queries):
                    token = begin + query + row
                    totals[row] = read(sums, token * heads[0] + head)
                    mixed = out[0] + token * out[1] + head * out[2]
                    means[row] = dot(grad[0] + token * grad[1] + head * grad[2], mixed, width)
                _queries(
                    strips, (keys, key_panels, value_panels, to_keys, to_values), width, query,
                    queries, window, cap, totals, means,
                )  # fmt: skip
                to_queries = strips + 4 * QUERIES * width * 4
                scale(to_queries, to_queries, queries * width, np.float32(1 / math.sqrt(width)))
                scatter(grad_q, begin + query, queries, head, to_queries, width)
        scatter(grad_k, begin, tokens, of_key, to_keys, width)
        scatter(grad_v, begin, tokens, of_key, to_values, width)


@compiled
def _prepare(
    strips: int, q: Operand, grad: Operand, token: int, queries: int, head: int, width: int
) -> None:
    """Strips of queries and of gradients, then the same as rows, then zeros."""
    size = QUERIES * width * 4
    gather(strips + 2 * size, q, token, queries, head, width, np.float32(1 / math.sqrt(width)))
    gather(strips + 3 * size, grad, token, queries, head, width, 1.0)
    turn(strips, strips + 2 * size, queries, width, 16, np.float32(LOG2E))
    turn(strips + size, strips + 3 * size, queries, width, 16, 1.0)
    fill_zero(strips + 4 * size, QUERIES * width)


@compiled
def _queries(
    strips: int, packed: tuple[int, int, int, int, int], width: int, query: int, queries: int,
    window: int, cap: float, totals: np.ndarray, means: np.ndarray,
) -> None:  # fmt: skip
    """What some queries add to all gradients, one block of keys after the other."""
    keys, key_panels, value_panels, to_keys, to_values = packed
    size = QUERIES * width * 4
    rows, grads, to_queries = strips + 2 * size, strips + 3 * size, strips + 4 * size
    probs = strips + 5 * size
    slopes = probs + QUERIES * BLOCK * 4
    first = max(0, query - window + 1) // BLOCK * BLOCK if window else 0
    for key in range(first, query + queries, BLOCK):
        products(probs, strips, key_panels, width, query, queries, key, window)
        products(slopes, strips + size, value_panels, width, query, queries, key, window)
        for strip in range(0, queries, ROWS):
            end = min(strip + ROWS, queries)
            low, high = span(query + strip, query + end, key, window)
            if low >= high:
                continue
            for row in range(strip, end):
                seen, at = edges(query + row, low, high, key, window), row * BLOCK * 4
                row_grad(probs + at, slopes + at, seen, totals[row], means[row], np.float32(cap))
            at, to = strip * BLOCK * 4, to_queries + strip * width * 4
            add_rows(to, slopes + at, keys + key * width * 4, low, high, width)
        for column in range(0, min(BLOCK, query + queries - key), ROWS):
            begin, end = max(0, key + column - query), queries
            if window:
                end = min(end, key + column + ROWS - 1 + window - query)
            if begin < end:
                at, to = (begin * BLOCK + column) * 4, (key + column) * width * 4
                count, right = end - begin, begin * width * 4
                add_columns(to_values + to, probs + at, grads + right, count, width)
                add_columns(to_keys + to, slopes + at, rows + right, count, width)
