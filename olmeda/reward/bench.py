"""reward.bench: which scorer prefers the better answer, and how often."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from pydantic import Field, field_validator

from olmeda.artifacts.examples import Trio
from olmeda.artifacts.lineage import RECORD, Making, check
from olmeda.artifacts.scores import WHOLE, Score, write_scores
from olmeda.artifacts.verb import verb
from olmeda.base.config import ArtifactPath, Config
from olmeda.base.errors import ConfigError, InputError, unknown
from olmeda.base.files import read_rows, write_bytes, write_json
from olmeda.reward.dialogue import conversation
from olmeda.reward.registries import Request
from olmeda.reward.scoring import ScorerConfig, run_scorer
from olmeda.reward.table import Bench, Cell, Judged, as_text, tabulate

RATER = "checker:trios"
"""Who says which answer is better: the corpus, by how the trio was made."""


class BenchConfig(Config, frozen=True):
    """Settings of reward.bench.

    ``trios``: examples of reward.trios, or a JSONL file of trios. ``baseline``: the scorer that
    the others are compared with; by default the first of kind ``length``.
    """

    trios: ArtifactPath
    split: str = "test"
    scorers: list[ScorerConfig] = Field(min_length=1)
    baseline: str | None = None
    batch_tokens: int = Field(default=8192, ge=1)
    threads: int = Field(default=1, ge=1)
    seed: int = 0

    @field_validator("scorers")
    @classmethod
    def _named_once(cls, scorers: list[ScorerConfig]) -> list[ScorerConfig]:
        names = [scorer.name for scorer in scorers]
        if twice := [n for n in names if names.count(n) > 1]:
            raise ValueError(f"two scorers are called {twice[0]!r}")
        return scorers


@verb("reward.bench", makes="scores")
def bench(config: BenchConfig, making: Making) -> None:
    """Score reward models on trios, by subset and section."""
    import torch

    torch.set_num_threads(config.threads)
    rows = read_trios(config.trios, config.split)
    prompts = [tuple(conversation(trio.prompt)) for trio in rows]
    requests = [Request(p, t.chosen) for p, t in zip(prompts, rows)]
    requests += [Request(p, t.rejected) for p, t in zip(prompts, rows)]
    judged = []
    for scorer in config.scorers:
        scored = run_scorer(scorer, requests, config.batch_tokens)
        chosen, rejected = np.split(scored.values, 2)
        judged.append(Judged(scorer.name, scorer.kind, chosen, rejected, scored.truncated))
    found = tabulate(rows, judged, config.split, baseline_of(config), config.seed)
    write_json(making.path / "bench.json", found)
    write_bytes(making.path / "bench.txt", f"{as_text(found)}\n".encode())
    write_scores(making.path, [*_item_rows(rows, judged), *_whole_rows(found)])
    making.counts |= {"trios": len(rows), "scorers": len(judged)}
    making.counts |= {f"accuracy_{s.name}": s.overall.accuracy.value for s in found.scorers}


def baseline_of(config: BenchConfig) -> str | None:
    """The name of the baseline scorer, if there is one. Raises ConfigError for an unknown name."""
    names = [scorer.name for scorer in config.scorers]
    if config.baseline is not None and config.baseline not in names:
        raise ConfigError(f"baseline: {unknown('scorer', config.baseline, names)}")
    lengths = [scorer.name for scorer in config.scorers if scorer.kind == "length"]
    return config.baseline or (lengths[0] if lengths else None)


def read_trios(path: Path, split: str) -> list[Trio]:
    """The trios of one split, or of a plain file. Raises InputError where there are none."""
    if (path / RECORD).is_file():
        check(path, "examples")
    file = path / f"{split}.jsonl" if path.is_dir() else path
    rows = list(read_rows(file, Trio))
    if not rows:
        raise InputError(f"{file}: holds no trios")
    seen: set[str] = set()
    for number, row in enumerate(rows, 1):
        if row.id in seen:
            raise InputError(f"{file}:{number}: a second trio has the id {row.id!r}; rename one")
        seen.add(row.id)
    return rows


def _item_rows(trios: Sequence[Trio], judged: Sequence[Judged]) -> Iterator[Score]:
    for one in judged:
        for trio, chosen, rejected in zip(trios, one.chosen.tolist(), one.rejected.tolist()):
            task = f"reward/{trio.subset}"
            yield Score(one.name, task, trio.id, "accuracy", float(chosen > rejected), RATER)
            yield Score(one.name, task, trio.id, "margin", chosen - rejected, RATER)


def _whole_rows(found: Bench) -> Iterator[Score]:
    for scorer in found.scorers:
        cells: dict[str, Cell] = {f"reward/{name}": cell for name, cell in scorer.subsets.items()}
        cells |= {f"reward/sections/{name}": cell for name, cell in scorer.sections.items()}
        for task, cell in {**cells, "reward/overall": scorer.overall}.items():
            yield Score(scorer.name, task, WHOLE, "accuracy", cell.accuracy.value, RATER)
