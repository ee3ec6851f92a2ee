"""``routing.analyse``: what the experts of a checkpoint do, as scores and a compact summary."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from olmeda.artifacts.checkpoint import Checkpoint
from olmeda.artifacts.lineage import Making
from olmeda.artifacts.scores import WHOLE, Score, write_scores
from olmeda.artifacts.tokenset import TokenSet
from olmeda.artifacts.verb import verb
from olmeda.base.config import ArtifactPath, Config
from olmeda.base.errors import ArtifactError
from olmeda.base.files import write_json
from olmeda.model import hf
from olmeda.routing import measures
from olmeda.routing.bootstrap import ratio_interval
from olmeda.routing.routes import Routes, collect
from olmeda.routing.summary import Findings, summarise
from olmeda.tokens.tokenizer import Tokenizer

RATER = "model:router"


class AnalyseConfig(Config, frozen=True):
    """Which mixture of experts to look at, and the text it reads meanwhile."""

    checkpoint: ArtifactPath
    tokens: ArtifactPath
    earlier: dict[str, ArtifactPath] = {}
    """Name -> checkpoint of the same run, to measure how far routing had settled by then."""
    max_tokens: Annotated[int, Field(gt=0)] = 65_536
    """Tokens to read over all sources, in whole documents."""
    sequence: Annotated[int, Field(gt=0)] | None = None
    """Length of a window; the model's context where absent."""
    least: Annotated[int, Field(gt=0)] = 10
    """Tokens an id must have to enter vocabulary specialisation."""
    rounds: Annotated[int, Field(gt=0)] = 500
    level: Annotated[float, Field(gt=0, lt=1)] = 0.95
    threads: Annotated[int, Field(gt=0)] = 1
    seed: int = 0


@verb("routing.analyse", makes="scores")
def analyse(config: AnalyseConfig, making: Making) -> None:
    """Measure how a mixture of experts routes tokens.

    Writes scores (task ``routing/layer-<l>``) and ``routing.json``. Raises ConfigError for a
    dense checkpoint, ArtifactError for tokens of another tokenizer.
    """
    import torch

    torch.set_num_threads(config.threads)
    tokens = TokenSet.open(config.tokens)
    routes = _routes(config.checkpoint, tokens, config)
    found = findings(routes, config.least, config.rounds, config.level, config.seed)
    settled = {}
    for name, path in config.earlier.items():
        before = _routes(path, tokens, config)
        if before.chosen_NLK.shape != routes.chosen_NLK.shape:
            raise ArtifactError(f"earlier.{name}: {path} is of another shape than the checkpoint")
        settled[name] = measures.saturation(before.chosen_NLK, routes.chosen_NLK)
    system = config.checkpoint.name
    tokenizer = Tokenizer.open(config.checkpoint)
    write_json(making.path / "routing.json", summarise(system, found, settled, tokenizer.decode))
    making.counts |= {
        "rows": write_scores(making.path, rows(system, found, settled)),
        "tokens": len(routes.ids_N),
        "layers": routes.chosen_NLK.shape[1],
        "experts": routes.experts,
    }


def _routes(checkpoint: Path, tokens: TokenSet, config: AnalyseConfig) -> Routes:
    digest = Checkpoint.open(checkpoint).tokenizer_digest()
    tokens.require_tokenizer(digest, str(checkpoint))
    model = hf.load(checkpoint)
    return collect(model, tokens, config.sequence or model.config.sequence, config.max_tokens)


def findings(routes: Routes, least: int, rounds: int, level: float, seed: int) -> Findings:
    """Every measure of one checkpoint's routes, with intervals over documents."""
    chosen, experts = routes.chosen_NLK, routes.experts
    documents = int(routes.document_N.max()) + 1
    visits_DLE = measures.grouped_visits(chosen, routes.document_N, documents, experts)
    tokens_D = np.bincount(routes.document_N, minlength=documents)
    source_D = np.zeros(documents, np.int64)
    source_D[routes.document_N] = routes.source_N
    intervals = []
    for source in range(len(routes.sources)):
        here = source_D == source
        intervals.append(ratio_interval(visits_DLE[here], tokens_D[here], rounds, level, seed))
    dealt = measures.shuffled(chosen, seed)
    return Findings(
        sources=routes.sources,
        tokens=len(routes.ids_N),
        documents=documents,
        experts=experts,
        chosen=chosen.shape[2],
        load_LE=measures.load_share(chosen, experts),
        load_interval=ratio_interval(visits_DLE, tokens_D * chosen.shape[2], rounds, level, seed),
        coactivation_LEE=measures.coactivation(chosen, experts),
        domain_GLE=measures.domain_share(chosen, routes.source_N, len(routes.sources), experts),
        domain_interval=(
            np.stack([low for low, _ in intervals]),
            np.stack([high for _, high in intervals]),
        ),
        vocabulary=measures.vocabulary(chosen, routes.ids_N, experts, least),
        vocabulary_chance_L=measures.vocabulary(dealt, routes.ids_N, experts, least).mean_L,
        least=least,
        level=level,
    )


def rows(system: str, found: Findings, settled: dict[str, np.ndarray]) -> Iterator[Score]:
    """All measures as score rows; items are ``e``, ``i>j`` and ``source/e``, ``*`` for a layer."""
    for layer in range(len(found.load_LE)):
        for item, scorer, value in _layer_rows(layer, found, settled):
            yield Score(system, f"routing/layer-{layer}", item, scorer, float(value), RATER)


def _layer_rows(
    layer: int, found: Findings, settled: dict[str, np.ndarray]
) -> Iterator[tuple[str, str, Any]]:
    experts = range(found.experts)
    chance = found.chance
    for name in ("load", "coactivation", "domain_share"):
        yield WHOLE, f"{name}_chance", chance[name]
    yield WHOLE, "evenness", measures.evenness(found.load_LE)[layer]
    yield WHOLE, "vocabulary", found.vocabulary.mean_L[layer]
    yield WHOLE, "vocabulary_chance", found.vocabulary_chance_L[layer]
    for expert in experts:
        yield str(expert), "load", found.load_LE[layer, expert]
        yield str(expert), "load_low", found.load_interval[0][layer, expert]
        yield str(expert), "load_high", found.load_interval[1][layer, expert]
        for other in experts:
            if other != expert:
                share = found.coactivation_LEE[layer, expert, other]
                yield f"{expert}>{other}", "coactivation", share
        for place, source in enumerate(found.sources):
            item, at = f"{source}/{expert}", (place, layer, expert)
            yield item, "domain_share", found.domain_GLE[at]
            yield item, "domain_share_low", found.domain_interval[0][at]
            yield item, "domain_share_high", found.domain_interval[1][at]
    for name, share_L in settled.items():
        yield name, "saturation", share_L[layer]
    if settled:
        yield WHOLE, "saturation_chance", chance["saturation"]
