"""The compact summary of a routing analysis that a report draws.

Shapes: ``L`` layers, ``E`` experts, ``G`` sources, ``X`` token ids.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from olmeda.routing.measures import (
    Vocabulary,
    choice_chance,
    coactivation_chance,
    evenness,
)

TOP_PAIRS, TOP_WORDS = 8, 5
Interval = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Findings:
    """What was measured of one checkpoint; intervals are ``(low, high)`` at ``level``."""

    sources: list[str]
    tokens: int
    documents: int
    experts: int
    chosen: int
    load_LE: np.ndarray
    load_interval: Interval
    coactivation_LEE: np.ndarray
    domain_GLE: np.ndarray
    domain_interval: Interval
    vocabulary: Vocabulary
    vocabulary_chance_L: np.ndarray
    least: int
    level: float

    @property
    def chance(self) -> dict[str, float]:
        """What routing at random would give."""
        return {
            "load": 1 / self.experts,
            "coactivation": coactivation_chance(self.experts, self.chosen),
            "domain_share": choice_chance(self.experts, self.chosen),
            "saturation": choice_chance(self.experts, self.chosen),
        }


def summarise(
    system: str,
    found: Findings,
    settled: Mapping[str, np.ndarray],
    decode: Callable[..., str],
) -> dict[str, Any]:
    """``routing.json``: chance lines, then one entry a layer. ``decode`` makes text of ids."""
    return {
        "system": system,
        "experts": found.experts,
        "chosen": found.chosen,
        "tokens": found.tokens,
        "documents": found.documents,
        "sources": found.sources,
        "level": found.level,
        "least_count": found.least,
        "chance": found.chance,
        "layers": [
            {
                "layer": layer,
                "load": _with_interval(found.load_LE, found.load_interval, (layer,)),
                "evenness": float(evenness(found.load_LE)[layer]),
                "domains": {
                    source: _with_interval(found.domain_GLE, found.domain_interval, (place, layer))
                    for place, source in enumerate(found.sources)
                },
                "top_pairs": top_pairs(found.coactivation_LEE[layer], TOP_PAIRS),
                "vocabulary": {
                    "share": float(found.vocabulary.mean_L[layer]),
                    "chance": float(found.vocabulary_chance_L[layer]),
                    "ids": len(found.vocabulary.ids_X),
                    "words": top_words(found.vocabulary, layer, found.experts, decode),
                },
                "saturation": {name: float(share[layer]) for name, share in settled.items()},
            }
            for layer in range(len(found.load_LE))
        ],
    }


def top_pairs(coactivation_EE: np.ndarray, most: int) -> list[dict[str, Any]]:
    """The ordered pairs with the highest co-activation, highest first; ties by expert number."""
    experts = len(coactivation_EE)
    pairs = [(i, j) for i in range(experts) for j in range(experts) if i != j]
    pairs.sort(key=lambda p: (-coactivation_EE[p], p))
    return [
        {"expert": i, "other": j, "share": float(coactivation_EE[i, j])} for i, j in pairs[:most]
    ]


def top_words(
    vocabulary: Vocabulary, layer: int, experts: int, decode: Callable[..., str]
) -> list[list[dict[str, Any]]]:
    """For each expert, the token ids that keep to it most: ``{text, id, share, count}``."""
    favourite_X, share_X = vocabulary.favourite_LX[layer], vocabulary.share_LX[layer]
    ranked = np.lexsort((vocabulary.ids_X, -vocabulary.counts_X, -share_X))
    found: list[list[dict[str, Any]]] = [[] for _ in range(experts)]
    for place in ranked.tolist():
        words = found[int(favourite_X[place])]
        if len(words) < TOP_WORDS:
            token = int(vocabulary.ids_X[place])
            words.append(
                {
                    "text": decode([token], skip_special=False),
                    "id": token,
                    "share": float(share_X[place]),
                    "count": int(vocabulary.counts_X[place]),
                }
            )
    return found


def _with_interval(
    values: np.ndarray, interval: Interval, at: Sequence[int]
) -> list[dict[str, float]]:
    low, high = interval
    place = tuple(at)
    return [
        {"share": float(v), "low": float(a), "high": float(b)}
        for v, a, b in zip(values[place], low[place], high[place], strict=True)
    ]
