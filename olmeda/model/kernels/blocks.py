"""What attention's two passes share: packed rows, blocks of scores, products with a block.

A block is ``QUERIES`` rows by ``BLOCK`` columns of scores. Its queries come in strips of 8 rows.
An operand is (address, bytes from token to token, bytes from head to head); a head's numbers lie
side by side, their count ``width`` a multiple of 16.
"""

from __future__ import annotations

from olmeda.model.kernels.compiled import compiled
from olmeda.model.kernels.rows import Edges, Number, fill_zero, scale, transpose
from olmeda.model.kernels.tiles import (
    BLOCK,
    ROWS,
    columns_by_one,
    columns_by_two,
    rows_by_one,
    rows_by_two,
    strips_by_panel,
)

QUERIES = 64
"""Rows of a block."""
PANEL = 32
"""Keys whose numbers stand side by side, dimension after dimension."""
Operand = tuple[int, int, int]


@compiled
def padded(tokens: int) -> int:
    """``tokens`` up to whole panels."""
    return (tokens + PANEL - 1) // PANEL * PANEL


@compiled
def gather(
    out: int, x: Operand, token: int, tokens: int, head: int, width: int, by: Number
) -> None:
    """Rows of one head side by side, times ``by``, and zeros up to a whole panel."""
    begin = x[0] + token * x[1] + head * x[2]
    for row in range(tokens):
        scale(out + row * width * 4, begin + row * x[1], width, by)
    fill_zero(out + tokens * width * 4, (padded(tokens) - tokens) * width)


@compiled
def scatter(x: Operand, token: int, tokens: int, head: int, rows: int, width: int) -> None:
    """Write rows that lie side by side to where they belong."""
    begin = x[0] + token * x[1] + head * x[2]
    for row in range(tokens):
        scale(begin + row * x[1], rows + row * width * 4, width, 1.0)


@compiled
def turn(out: int, rows: int, tokens: int, width: int, panel: int, by: Number) -> None:
    """Panels ``[panels, width, panel]`` of gathered rows, times ``by``."""
    for token in range(0, padded(tokens), 16):
        at = out + (token // panel * panel * width + token % panel) * 4
        for dim in range(0, width, 16):
            transpose(at + dim * panel * 4, panel, rows + (token * width + dim) * 4, width, by)


@compiled
def products(
    out: int, strips: int, panels: int, width: int, query: int, queries: int, key: int, window: int
) -> None:
    """Fill a block with queries times keys, wherever a query may see a key.

    ``strips``: turned queries, 16 to a panel; ``panels``: turned keys. ``query`` and ``key`` count
    from the beginning of the stretch.
    """
    last_strip = (queries + ROWS - 1) // ROWS
    for first in range(key, min(key + BLOCK, query + queries), PANEL):
        begin, end = max(0, (first - query) // ROWS), last_strip
        if window:
            end = min(end, (first + PANEL - 2 + window - query) // ROWS + 1)
        for strip in range(begin, end):
            left = strips + (strip // 2 * 16 * width + strip % 2 * ROWS) * 4
            place = out + (strip * ROWS * BLOCK + first - key) * 4
            strips_by_panel(place, BLOCK, left, panels + first * width * 4, PANEL, width, True)


@compiled
def span(first: int, end: int, key: int, window: int) -> tuple[int, int]:
    """The columns of the block from ``key`` on that tokens ``first`` to ``end`` may see."""
    low = max(0, first - window + 1 - key) if window else 0
    return low, min(BLOCK, end - key)


@compiled
def edges(token: int, begin: int, end: int, key: int, window: int) -> Edges:
    """What of its strip's columns ``begin`` to ``end`` one token sees, for the rows' kernels."""
    low, high = span(token, token + 1, key, window)
    first, last = begin // 16 * 16, (end + 15) // 16 * 16
    whole = min((low + 15) // 16 * 16, last)
    return first, whole, max(whole, high // 16 * 16), last, low, high


@compiled
def add_rows(out: int, block: int, right: int, begin: int, end: int, width: int) -> None:
    """``out += block[:8, begin:end] @ right[begin:end]``, ``begin`` down to a multiple of 16."""
    first = begin // 16 * 16
    block, right = block + first * 4, right + first * width * 4
    dim = 0
    while dim + 32 <= width:
        at = dim * 4
        rows_by_two(out + at, width, block, right + at, width, end - first, False)
        dim += 32
    if dim < width:
        rows_by_one(out + dim * 4, width, block, right + dim * 4, width, end - first, False)


@compiled
def add_columns(out: int, block: int, right: int, rows: int, width: int) -> None:
    """``out += block[:rows, :8].T @ right[:rows]``."""
    dim = 0
    while dim + 32 <= width:
        columns_by_two(out + dim * 4, width, block, right + dim * 4, width, rows, False)
        dim += 32
    if dim < width:
        columns_by_one(out + dim * 4, width, block, right + dim * 4, width, rows, False)
