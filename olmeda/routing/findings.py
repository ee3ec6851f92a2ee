"""Everything measured of one checkpoint's routes, with intervals over documents.

Shapes: ``N`` tokens, ``L`` layers with experts, ``K`` chosen, ``E`` experts, ``G`` sources,
``D`` documents.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from olmeda.routing import measures
from olmeda.routing.bootstrap import LinearisedRatio, ratio_interval
from olmeda.routing.paths import (
    followed,
    independent,
    information_interval,
    shared_information,
)
from olmeda.routing.routes import Routes
from olmeda.routing.vocabulary import Vocabulary, mean_interval, shuffled, vocabulary

Interval = tuple[np.ndarray, np.ndarray]
SERIES = {
    "": "the token read",
    "_next": "the token that follows",
    "_predicted": "the model's guess",
}
"""Ending of the scorer -> whose vocabulary specialisation it is."""


@dataclass(frozen=True)
class Sampling:
    """How intervals are made: draws of documents, their width, and the seed."""

    least: int
    rounds: int
    level: float
    seed: int


@dataclass(frozen=True)
class Specialised:
    """Vocabulary specialisation with its interval over documents and its chance line, ``[L]``."""

    held: Vocabulary
    interval: Interval
    chance_L: np.ndarray


@dataclass(frozen=True)
class Path:
    """From layer ``first`` to layer ``second``: shares of each expert's tokens, and the bits.

    ``counted_E``: whether an expert of the first layer has tokens enough to tell of its paths.
    """

    first: int
    second: int
    share_EE: np.ndarray
    interval: Interval
    independent_E: np.ndarray
    counted_E: np.ndarray
    bits: float
    bits_interval: Interval
    bits_chance: float


@dataclass(frozen=True)
class Settled:
    """Saturation of one earlier checkpoint: all K experts and the first alone, ``[L]`` each."""

    share_L: np.ndarray
    interval: Interval
    first_L: np.ndarray
    first_interval: Interval


@dataclass(frozen=True)
class Findings:
    """What was measured of one checkpoint; intervals are ``(low, high)`` at ``level``."""

    sources: list[str]
    layers: list[int]
    tokens: int
    documents: int
    experts: int
    chosen: int
    load_LE: np.ndarray
    load_interval: Interval
    coactivation_LEE: np.ndarray
    coactivation_interval: Interval
    domain_GLE: np.ndarray
    domain_interval: Interval
    vocabulary: dict[str, Specialised]
    """Ending of the scorer (``SERIES``, and each with ``_top1``) -> specialisation."""
    paths: list[Path]
    settled: dict[str, Settled]
    sampling: Sampling

    @property
    def chance(self) -> dict[str, float]:
        """What routing at random would give."""
        return {
            "load": 1 / self.experts,
            "coactivation": measures.coactivation_chance(self.experts, self.chosen),
            "domain_share": measures.choice_chance(self.experts, self.chosen),
            "saturation": measures.choice_chance(self.experts, self.chosen),
            "saturation_top1": 1 / self.experts,
        }


def find(
    routes: Routes,
    earlier: Mapping[str, Routes],
    sampling: Sampling,
    pairs_of_layers: Sequence[tuple[int, int]],
) -> Findings:
    """Every measure of ``routes``, and saturation against each of ``earlier``.

    ``pairs_of_layers``: places in ``routes.layers`` between which paths are followed.
    """
    chosen, experts = routes.chosen_NLK, routes.experts
    documents = int(routes.document_N.max()) + 1
    tokens_D = np.bincount(routes.document_N, minlength=documents)
    visits_DLE = measures.grouped_visits(chosen, routes.document_N, documents, experts)
    domain = _by_source(routes, visits_DLE, tokens_D, sampling)
    pairs, low, high = _pairs(routes, documents, sampling.level)
    return Findings(
        sources=routes.sources,
        layers=routes.layers,
        tokens=len(routes.ids_N),
        documents=documents,
        experts=experts,
        chosen=chosen.shape[2],
        load_LE=measures.load_share(chosen, experts),
        load_interval=_ratio(visits_DLE, tokens_D * chosen.shape[2], sampling),
        coactivation_LEE=pairs,
        coactivation_interval=(low, high),
        domain_GLE=measures.domain_share(chosen, routes.source_N, len(routes.sources), experts),
        domain_interval=domain,
        vocabulary=dict(_specialised(routes, sampling)),
        paths=[_path(routes, documents, a, b, sampling) for a, b in pairs_of_layers],
        settled={n: _settled(r, routes, tokens_D, sampling) for n, r in earlier.items()},
        sampling=sampling,
    )


def _ratio(above_DX: np.ndarray, below_D: np.ndarray, sampling: Sampling) -> Interval:
    return ratio_interval(above_DX, below_D, sampling.rounds, sampling.level, sampling.seed)


def _by_source(
    routes: Routes, visits_DLE: np.ndarray, tokens_D: np.ndarray, sampling: Sampling
) -> Interval:
    source_D = np.zeros(len(tokens_D), np.int64)
    source_D[routes.document_N] = routes.source_N
    held = [
        _ratio(visits_DLE[source_D == source], tokens_D[source_D == source], sampling)
        for source in range(len(routes.sources))
    ]
    return np.stack([low for low, _ in held]), np.stack([high for _, high in held])


def _by_document(routes: Routes, documents: int) -> Iterator[np.ndarray]:
    """The choices ``[n, L, K]`` of one document after the other."""
    edges = np.searchsorted(routes.document_N, np.arange(documents + 1))
    for begin, end in itertools.pairwise(edges.tolist()):
        yield routes.chosen_NLK[begin:end]


def _pairs(
    routes: Routes, documents: int, level: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Co-activation ``[L, E, E]`` with its limits, document by document."""
    ratio, experts = LinearisedRatio(), routes.experts
    for part in _by_document(routes, documents):
        ratio.add(measures.together(part, experts), measures.visits(part, experts)[:, :, None])
    return ratio.interval(level)


def _specialised(routes: Routes, sampling: Sampling) -> list[tuple[str, Specialised]]:
    ids = {"": routes.ids_N, "_next": routes.next_N, "_predicted": routes.predicted_N}
    found = []
    for top, chosen in (("", routes.chosen_NLK), ("_top1", routes.chosen_NLK[..., :1])):
        dealt = shuffled(chosen, sampling.seed)
        for name, ids_N in ids.items():
            held = vocabulary(chosen, ids_N, routes.experts, sampling.least)
            interval = mean_interval(
                chosen, ids_N, routes.document_N, held,
                sampling.rounds, sampling.level, sampling.seed,
            )  # fmt: skip
            chance_L = vocabulary(dealt, ids_N, routes.experts, sampling.least).mean_L
            found.append((f"{name}{top}", Specialised(held, interval, chance_L)))
    return found


def _path(routes: Routes, documents: int, first: int, second: int, sampling: Sampling) -> Path:
    chosen, experts = routes.chosen_NLK, routes.experts
    ratio = LinearisedRatio()
    for part in _by_document(routes, documents):
        from_E1 = measures.visits(part[:, [first]], experts)[0][:, None]
        ratio.add(followed(part, experts, first, second), from_E1)
    share, low, high = ratio.interval(sampling.level)
    dealt = chosen.copy()
    dealt[:, second] = shuffled(chosen[:, [second]], sampling.seed)[:, 0]
    return Path(
        first=routes.layers[first],
        second=routes.layers[second],
        share_EE=share,
        interval=(low, high),
        independent_E=independent(chosen, experts, second),
        counted_E=measures.visits(chosen[:, [first]], experts)[0] >= sampling.least,
        bits=shared_information(chosen, experts, first, second),
        bits_interval=information_interval(
            chosen, routes.document_N, experts, (first, second),
            sampling.rounds, sampling.level, sampling.seed,
        ),
        bits_chance=shared_information(dealt, experts, first, second),
    )  # fmt: skip


def _settled(before: Routes, after: Routes, tokens_D: np.ndarray, sampling: Sampling) -> Settled:
    found = []
    for ranks in (slice(None), slice(1)):
        early, late = before.chosen_NLK[..., ranks], after.chosen_NLK[..., ranks]
        kept_NL = measures.kept_experts(early, late) / late.shape[2]
        kept_DL = np.zeros((len(tokens_D), kept_NL.shape[1]))
        np.add.at(kept_DL, after.document_N, kept_NL)
        found += [kept_NL.mean(0), _ratio(kept_DL, tokens_D, sampling)]
    return Settled(*found)
