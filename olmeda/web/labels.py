"""Where to write the names of points so that they cover neither each other nor the points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from olmeda.web.charts import CHARACTER

LINE = 12.0
"""Height of a label in pixels."""
NEAR = 8.0
"""Distance of a label from its point in pixels."""


@dataclass(frozen=True)
class Spot:
    """A place for a label: how it is aligned and how far it is from its point, in pixels."""

    align: str
    dx: float
    dy: float


SPOTS = tuple(
    Spot(align, sign * reach, dy)
    for reach, heights in ((6.0, (-10, 10)), (NEAR, (0,)), (NEAR, (-24, 24)), (16.0, (-38, 38)))
    for dy in heights
    for align, sign in (("left", 1), ("right", -1))
)
"""Tried in this order: off the corners (clear of the lines of an interval), beside, further off."""

Box = tuple[float, float, float, float]


def place(
    points: Sequence[tuple[float, float]],
    names: Sequence[str],
    obstacles: Sequence[tuple[float, float]],
    size: tuple[float, float],
) -> list[Spot]:
    """A spot for each name beside its point, within a drawing of ``size``; all in pixels.

    Greedy in the given order; where every spot covers something, the one that covers least.
    """
    taken: list[Box] = [(x - 4, y - 4, x + 4, y + 4) for x, y in [*points, *obstacles]]
    found: list[Spot] = []
    for point, name in zip(points, names):
        boxes = [_box(point, name, spot) for spot in SPOTS]
        costs = [sum(_overlap(b, t) for t in taken) + _outside(b, size) for b in boxes]
        best = min(range(len(SPOTS)), key=lambda i: costs[i])
        found.append(SPOTS[best])
        taken.append(boxes[best])
    return found


def _box(point: tuple[float, float], name: str, spot: Spot) -> Box:
    width = CHARACTER * len(name)
    left = point[0] + spot.dx - {"left": 0.0, "center": width / 2, "right": width}[spot.align]
    middle = point[1] + spot.dy
    return left, middle - LINE / 2, left + width, middle + LINE / 2


def _overlap(a: Box, b: Box) -> float:
    wide = min(a[2], b[2]) - max(a[0], b[0])
    high = min(a[3], b[3]) - max(a[1], b[1])
    return wide * high if wide > 0 and high > 0 else 0.0


def _outside(box: Box, size: tuple[float, float]) -> float:
    """The area of a label that lies outside of the drawing, counted double."""
    inner = _overlap(box, (0.0, 0.0, *size))
    return 2 * ((box[2] - box[0]) * (box[3] - box[1]) - inner)
