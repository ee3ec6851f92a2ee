"""A scorer as a recipe names it, and its run over requests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from olmeda.base.config import ArtifactPath, Config
from olmeda.reward.registries import Request, Scored, reward_scorer


class ScorerConfig(Config, frozen=True):
    """One reward scorer: ``kind`` is the plug-in, ``params`` its further parameters."""

    name: str
    kind: str
    checkpoint: ArtifactPath | None = None
    reference: ArtifactPath | None = None
    params: dict[str, Any] = {}


def run_scorer(scorer: ScorerConfig, requests: Sequence[Request], batch_tokens: int) -> Scored:
    """Score requests. Raises ConfigError for an unknown kind or parameter.

    ``batch_tokens`` goes to scorers that take it: those that run a model.
    """
    given: dict[str, Any] = dict(scorer.params)
    if scorer.checkpoint is not None:
        given["checkpoint"] = scorer.checkpoint
    if scorer.reference is not None:
        given["reference"] = scorer.reference
    if "batch_tokens" in reward_scorer.get(scorer.kind).parameters:
        given.setdefault("batch_tokens", batch_tokens)
    scored: Scored = reward_scorer.bind({"name": scorer.kind, **given})(requests)
    return scored
