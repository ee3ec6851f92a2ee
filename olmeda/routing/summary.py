"""The compact summary of a routing analysis that a report draws.

Shapes: ``L`` layers, ``E`` experts, ``G`` sources, ``X`` token ids.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from olmeda.routing.findings import Findings, Interval, Path, Specialised
from olmeda.routing.measures import evenness
from olmeda.routing.vocabulary import Vocabulary

TOP_PAIRS, TOP_WORDS, MOST_SHOWN = 8, 5, 16


def summarise(system: str, found: Findings, decode: Callable[..., str]) -> dict[str, Any]:
    """``routing.json``: chance lines, then one entry a layer. ``decode`` makes text of ids."""
    return {
        "system": system,
        "experts": found.experts,
        "chosen": found.chosen,
        "tokens": found.tokens,
        "documents": found.documents,
        "sources": found.sources,
        "level": found.sampling.level,
        "least_count": found.sampling.least,
        "chance": found.chance,
        "layers": [_layer(place, found, decode) for place in range(len(found.layers))],
    }


def _layer(place: int, found: Findings, decode: Callable[..., str]) -> dict[str, Any]:
    read = found.vocabulary[""].held
    return {
        "layer": found.layers[place],
        "load": _with_interval(found.load_LE, found.load_interval, (place,)),
        "evenness": float(evenness(found.load_LE)[place]),
        "domains": {
            source: _with_interval(found.domain_GLE, found.domain_interval, (number, place))
            for number, source in enumerate(found.sources)
        },
        "top_pairs": top_pairs(found.coactivation_LEE[place], TOP_PAIRS),
        "shown": shown_experts(found.coactivation_LEE[place], MOST_SHOWN),
        "coactivation": _shown_pairs(found.coactivation_LEE[place]),
        "vocabulary": {
            ending: _specialised(held, place) for ending, held in found.vocabulary.items()
        },
        "words": top_words(read, place, found.experts, decode),
        "paths": [_path(path) for path in found.paths if path.first == found.layers[place]],
        "saturation": {
            name: {
                "all": _limits(held.share_L, held.interval, place),
                "top1": _limits(held.first_L, held.first_interval, place),
            }
            for name, held in found.settled.items()
        },
    }


def _specialised(held: Specialised, place: int) -> dict[str, Any]:
    return {
        **_limits(held.held.mean_L, held.interval, place),
        "chance": float(held.chance_L[place]),
        "ids": len(held.held.ids_X),
    }


def _path(path: Path) -> dict[str, Any]:
    """To another layer: bits, and the flows that stand out most against independence."""
    lift_EE = np.where(path.counted_E[:, None], path.share_EE - path.independent_E, -np.inf)
    flows = sorted(np.ndindex(lift_EE.shape), key=lambda at: (-lift_EE[at], at))[:TOP_PAIRS]
    return {
        "to": path.second,
        "bits": path.bits,
        "bits_low": float(path.bits_interval[0]),
        "bits_high": float(path.bits_interval[1]),
        "bits_chance": path.bits_chance,
        "flows": [
            {
                "expert": i,
                "other": j,
                "share": float(path.share_EE[i, j]),
                "low": float(path.interval[0][i, j]),
                "high": float(path.interval[1][i, j]),
                "chance": float(path.independent_E[j]),
            }
            for i, j in flows
            if path.counted_E[i]
        ],
    }


def shown_experts(coactivation_EE: np.ndarray, most: int) -> list[int]:
    """The experts of the pairs chosen together most, until ``most`` of them are found; sorted.

    All experts where there are no more than that (OLMoE shows 16, taken in the same way).
    """
    experts = len(coactivation_EE)
    if experts <= most:
        return list(range(experts))
    found: dict[int, None] = {}
    for pair in top_pairs(coactivation_EE, experts * experts):
        found |= dict.fromkeys((pair["expert"], pair["other"]))
        if len(found) >= most:
            break
    return sorted(list(found)[:most])


def _shown_pairs(coactivation_EE: np.ndarray) -> list[list[float]]:
    shown = shown_experts(coactivation_EE, MOST_SHOWN)
    return [[float(v) for v in row] for row in coactivation_EE[np.ix_(shown, shown)]]


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


def _limits(values: np.ndarray, interval: Interval, place: int) -> dict[str, float]:
    low, high = interval
    return {"share": float(values[place]), "low": float(low[place]), "high": float(high[place])}
