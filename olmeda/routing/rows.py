"""Findings as rows of the Scores table: one task a layer, items ``e``, ``i>j``, ``source/e``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from olmeda.artifacts.scores import WHOLE, Score
from olmeda.routing.findings import Findings
from olmeda.routing.measures import evenness

RATER = "model:router"
Cell = tuple[str, str, Any]
"""Item, scorer, value."""


def rows(system: str, found: Findings) -> Iterator[Score]:
    """All measures as score rows; ``*`` is a whole layer."""
    for place, layer in enumerate(found.layers):
        for item, scorer, value in _of_layer(place, found):
            yield Score(system, f"routing/layer-{layer}", item, scorer, float(value), RATER)


def _of_layer(place: int, found: Findings) -> Iterator[Cell]:
    for name in ("load", "coactivation", "domain_share"):
        yield WHOLE, f"{name}_chance", found.chance[name]
    yield WHOLE, "evenness", evenness(found.load_LE)[place]
    yield from _vocabulary(place, found)
    yield from _experts(place, found)
    yield from _paths(place, found)
    yield from _saturation(place, found)


def _with_limits(
    item: str, scorer: str, value: np.ndarray, limits: tuple[np.ndarray, np.ndarray], at: Any
) -> Iterator[Cell]:
    yield item, scorer, value[at]
    yield item, f"{scorer}_low", limits[0][at]
    yield item, f"{scorer}_high", limits[1][at]


def _vocabulary(place: int, found: Findings) -> Iterator[Cell]:
    for ending, held in found.vocabulary.items():
        name = f"vocabulary{ending}"
        yield from _with_limits(WHOLE, name, held.held.mean_L, held.interval, place)
        yield WHOLE, f"{name}_chance", held.chance_L[place]


def _experts(place: int, found: Findings) -> Iterator[Cell]:
    for expert in range(found.experts):
        yield from _with_limits(str(expert), "load", found.load_LE, found.load_interval,
                                (place, expert))  # fmt: skip
        for other in range(found.experts):
            if other != expert:
                yield from _with_limits(
                    f"{expert}>{other}", "coactivation", found.coactivation_LEE,
                    found.coactivation_interval, (place, expert, other),
                )  # fmt: skip
        for number, source in enumerate(found.sources):
            yield from _with_limits(
                f"{source}/{expert}", "domain_share", found.domain_GLE, found.domain_interval,
                (number, place, expert),
            )  # fmt: skip


def _paths(place: int, found: Findings) -> Iterator[Cell]:
    """Of the paths that begin at this layer, those of experts with tokens enough."""
    for path in found.paths:
        if path.first != found.layers[place]:
            continue
        bits = np.array(path.bits)
        yield from _with_limits(f"*>{path.second}", "path_bits", bits, path.bits_interval, ())
        yield f"*>{path.second}", "path_bits_chance", path.bits_chance
        for there, share in enumerate(path.independent_E):
            yield f"*>{path.second}:{there}", "path_chance", share
        for here, there in np.ndindex(path.share_EE.shape):
            if path.counted_E[here]:
                item = f"{here}>{path.second}:{there}"
                yield from _with_limits(item, "path", path.share_EE, path.interval, (here, there))


def _saturation(place: int, found: Findings) -> Iterator[Cell]:
    for name, held in found.settled.items():
        yield from _with_limits(name, "saturation", held.share_L, held.interval, place)
        yield from _with_limits(name, "saturation_top1", held.first_L, held.first_interval, place)
    if found.settled:
        for name in ("saturation", "saturation_top1"):
            yield WHOLE, f"{name}_chance", found.chance[name]
