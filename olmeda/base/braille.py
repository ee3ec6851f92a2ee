"""Curves in a terminal: points as dots of Braille characters, two across and four down in each."""

from __future__ import annotations

import math
from collections.abc import Sequence

Points = Sequence[tuple[float, float]]
BLANK = 0x2800
DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
"""The bit of each dot, by column and row of a character."""


def braille(
    lines: Sequence[Points], box: tuple[float, float, float, float], width: int, height: int
) -> list[list[tuple[str, int]]]:
    """Draw lines into ``height`` rows of ``width`` characters; each with the line it shows.

    ``box``: the ``x`` and ``y`` of the lower left and the upper right corner; points outside are
    put on its edge. Where lines share a character the last one has it; -1 is an empty one.
    """
    bits = [[0] * width for _ in range(height)]
    owner = [[-1] * width for _ in range(height)]
    for number, points in enumerate(lines):
        places = [_place(point, box, 2 * width, 4 * height) for point in points]
        for at, place in enumerate(places):
            for x, y in _between(places[at - 1] if at else place, place):
                bits[y // 4][x // 2] |= DOTS[x % 2][y % 4]
                owner[y // 4][x // 2] = number
    return [
        [(chr(BLANK + bit), who) for bit, who in zip(row, whose, strict=True)]
        for row, whose in zip(bits, owner, strict=True)
    ]


def _place(
    point: tuple[float, float], box: tuple[float, float, float, float], across: int, down: int
) -> tuple[int, int]:
    left, low, right, high = box
    x = (point[0] - left) / ((right - left) or 1.0)
    y = (high - point[1]) / ((high - low) or 1.0)
    return _cell(x, across), _cell(y, down)


def _cell(share: float, cells: int) -> int:
    if not math.isfinite(share):
        return 0
    return min(cells - 1, max(0, round(share * (cells - 1))))


def _between(one: tuple[int, int], other: tuple[int, int]) -> list[tuple[int, int]]:
    """The dots on the way from one to the other, both included."""
    steps = max(abs(other[0] - one[0]), abs(other[1] - one[1]), 1)
    return [
        (
            one[0] + round((other[0] - one[0]) * turn / steps),
            one[1] + round((other[1] - one[1]) * turn / steps),
        )
        for turn in range(steps + 1)
    ]
