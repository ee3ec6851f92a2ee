"""``routing.analyse``: what the experts of a checkpoint do, as scores and a compact summary."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from pydantic import Field

from olmeda.artifacts.checkpoint import Checkpoint
from olmeda.artifacts.lineage import Making
from olmeda.artifacts.scores import write_scores
from olmeda.artifacts.tokenset import TokenSet
from olmeda.artifacts.verb import verb
from olmeda.base.config import ArtifactPath, Config
from olmeda.base.errors import ArtifactError, ConfigError
from olmeda.base.files import write_json
from olmeda.model import hf
from olmeda.routing.findings import Sampling, find
from olmeda.routing.foreign import is_foreign, open_foreign
from olmeda.routing.routes import Routes, collect, router_of
from olmeda.routing.rows import rows
from olmeda.routing.summary import summarise
from olmeda.tokens.tokenizer import Tokenizer


class AnalyseConfig(Config, frozen=True):
    """Which mixture of experts to look at, and the text it reads meanwhile."""

    checkpoint: ArtifactPath
    """Ours, or a folder of transformers with experts (OLMoE, Mixtral, Qwen's)."""
    tokens: ArtifactPath
    earlier: dict[str, ArtifactPath] = {}
    """Name -> checkpoint of the same run, to measure how far routing had settled by then."""
    max_tokens: Annotated[int, Field(gt=0)] = 65_536
    """Tokens to read over all sources, in whole documents."""
    sequence: Annotated[int, Field(gt=0)] | None = None
    """Length of a window; the model's context where absent."""
    least: Annotated[int, Field(gt=0)] = 10
    """Tokens an id must have to enter vocabulary specialisation, and an expert to have paths."""
    paths: tuple[tuple[int, int], ...] | None = None
    """Pairs of layers whose paths are told; each layer to the next with experts where absent."""
    rounds: Annotated[int, Field(gt=0)] = 200
    """Draws of documents behind an interval."""
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
    earlier = {}
    for name, path in config.earlier.items():
        before = _routes(path, tokens, config)
        same = before.experts == routes.experts and before.layers == routes.layers
        if not same or before.chosen_NLK.shape != routes.chosen_NLK.shape:
            raise ArtifactError(
                f"earlier.{name}: {path} has other experts than the checkpoint; give an earlier "
                "checkpoint of the same run"
            )
        earlier[name] = before
    sampling = Sampling(config.least, config.rounds, config.level, config.seed)
    found = find(routes, earlier, sampling, places_of(routes.layers, config.paths))
    system = config.checkpoint.name
    tokenizer = Tokenizer.open(config.checkpoint)
    write_json(making.path / "routing.json", summarise(system, found, tokenizer.decode))
    making.counts |= {
        "rows": write_scores(making.path, rows(system, found)),
        "tokens": found.tokens,
        "documents": found.documents,
        "layers": len(found.layers),
        "experts": found.experts,
    }


def places_of(
    layers: Sequence[int], asked: Sequence[tuple[int, int]] | None
) -> list[tuple[int, int]]:
    """Pairs of layer numbers as places in ``layers``.

    Raises ConfigError for a layer without experts.
    """
    if asked is None:
        return list(itertools.pairwise(range(len(layers))))
    if unknown := [n for pair in asked for n in pair if n not in layers]:
        shown = ", ".join(map(str, layers))
        raise ConfigError(f"paths: layer {unknown[0]} has no experts; layers with experts: {shown}")
    return [(layers.index(first), layers.index(second)) for first, second in asked]


def _routes(path: Path, tokens: TokenSet, config: AnalyseConfig) -> Routes:
    checkpoint = Checkpoint.open(path)
    tokens.require_tokenizer(checkpoint.tokenizer_digest(), str(path))
    foreign = is_foreign(checkpoint.config)
    router = open_foreign(path, checkpoint.config) if foreign else router_of(hf.load(path))
    return collect(router, tokens, config.sequence or router.context, config.max_tokens)
