"""reward.score: a reward model's opinion of what systems answered."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydantic import Field

from olmeda.artifacts.examples import OUTPUTS, Output, read_outputs
from olmeda.artifacts.lineage import Making, check
from olmeda.artifacts.scores import Score, write_scores
from olmeda.artifacts.verb import verb
from olmeda.base.config import ArtifactPath, Config
from olmeda.base.errors import InputError, unknown
from olmeda.reward.dialogue import conversation
from olmeda.reward.registries import Request
from olmeda.reward.scoring import ScorerConfig, run_scorer

SCORER = "reward_model"


class ScoreConfig(Config, frozen=True):
    """Settings of reward.score.

    ``outputs``: folders with ``outputs.jsonl``, as evals.run writes it; ``tasks``: score these
    alone (all by default); ``name``: the rater will be ``model:<name>``. ``kind: dpo`` takes a
    policy as ``reward_model`` and its ``reference``.
    """

    outputs: list[ArtifactPath] = Field(min_length=1)
    reward_model: ArtifactPath
    name: str = "reward_model"
    kind: str = "classifier"
    reference: ArtifactPath | None = None
    tasks: list[str] = []
    batch_tokens: int = Field(default=8192, ge=1)
    threads: int = Field(default=1, ge=1)


@verb("reward.score", makes="scores")
def score(config: ScoreConfig, making: Making) -> None:
    """Score systems' outputs with a reward model."""
    import torch

    torch.set_num_threads(config.threads)
    outputs = [row for path in config.outputs for row in chosen_outputs(path, config.tasks)]
    scorer = ScorerConfig(
        name=config.name,
        kind=config.kind,
        checkpoint=config.reward_model,
        reference=config.reference,
    )
    requests = [Request(tuple(conversation(o.prompt)), o.text) for o in outputs]
    scored = run_scorer(scorer, requests, config.batch_tokens)
    rows = [
        Score(o.system, o.task, o.item, SCORER, value, f"model:{config.name}")
        for o, value in zip(outputs, scored.values.tolist(), strict=True)
    ]
    making.counts |= {"rows": write_scores(making.path, rows), "truncated": scored.truncated}


def chosen_outputs(path: Path, tasks: Sequence[str]) -> list[Output]:
    """The outputs of ``tasks`` (all if none are named). Raises InputError where one has none."""
    check(path)
    file, rows = path / OUTPUTS, list(read_outputs([path]))
    known = list(dict.fromkeys(row.task for row in rows))
    for task in tasks:
        if task not in known:
            raise InputError(f"{file}: {unknown('task', task, known)}")
    kept = [row for row in rows if not tasks or row.task in tasks]
    if not kept:
        raise InputError(f"{file}: holds no outputs; let systems answer a generation task")
    return kept
