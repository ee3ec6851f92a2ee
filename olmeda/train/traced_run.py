"""A run opened again for asking what it read: its settings, its data, and how far it came."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from olmeda.artifacts.lineage import JOURNAL, RECORD, Lineage
from olmeda.artifacts.tokenset import TokenSet
from olmeda.artifacts.training_log import PROGRESS, TrainingLog
from olmeda.base.config import validated
from olmeda.base.errors import ArtifactError
from olmeda.base.files import read_json
from olmeda.tokens.loader import TokenLoader
from olmeda.train.batches import InstanceBatches
from olmeda.train.order_record import read_order
from olmeda.train.run import RunConfig, batches_of
from olmeda.train.state import FOLDER, newest_state


@dataclass(frozen=True)
class TracedRun:
    """A run, finished or not, with the order of its data. Steps are counted from 1, as logged."""

    path: Path
    tokens: TokenSet
    loader: TokenLoader
    batches: InstanceBatches
    done: int
    """Steps that it has taken, as far as the log tells."""
    until: int
    """Steps that it takes in all."""
    passed_over: tuple[tuple[int, int], ...] = ()
    """Steps ``after .. upto`` (the first of them excluded) whose batches were left out when the
    run went back to a saved state."""

    def has_seen(self, step: int) -> bool:
        """Whether what the run learned so far holds the batch of a step."""
        return step <= self.done and not any(a < step <= upto for a, upto in self.passed_over)

    def step_of(self, place: int) -> int:
        """The step that reads a place of the order."""
        stages = self.batches.stages
        stage = max((s for s in stages if s.place <= place), key=lambda s: s.place)
        return stage.step + (place - stage.place) // stage.count + 1


def open_run(path: Path, tokens: Path | None = None, contents: bool = False) -> TracedRun:
    """Open the output of ``train.run``: finished, unfinished, or a checkpoint kept on the way.

    ``tokens``: where its token set lies now, if it was moved; ``contents``: read every id and hold
    it against its digest. Raises ArtifactError for what is no run, and for tokens whose order is
    not the one that the run read.
    """
    log = TrainingLog.open(path)
    home = log.home
    assert home is not None
    values, held = _settings(home)
    config = validated(RunConfig, values, str(home))
    place = tokens or held or config.tokens
    if not place.is_dir():
        raise ArtifactError(
            f"{place}: the token set of {path} is not there; say where it lies: --tokens FOLDER"
        )
    opened = TokenSet.open(place)
    data = config.data.model_copy(update={"verify": contents})
    batches = batches_of(config.model_copy(update={"data": data}), opened)
    _require_order(home, batches.order_digest, opened)
    back = [(r["went_back_to"], r["step"]) for r in log.progress if "went_back_to" in r]
    until = config.loop.until.in_steps(batches.after)
    loader = batches.loader
    assert isinstance(loader, TokenLoader)
    return TracedRun(path, opened, loader, batches, log.step, until, tuple(back))


def _settings(home: Path) -> tuple[dict[str, Any], Path | None]:
    """The recorded configuration of a run, and where its record says that the tokens lie."""
    if not (home / RECORD).is_file():
        plan = read_json(home / JOURNAL / "plan.json")
        if not {"tokens", "loop"} <= set(plan["config"]):
            raise ArtifactError(f"{home / PROGRESS}: of no train.run; only its runs can be traced")
        return plan["config"], None
    record = Lineage.open(home)
    if record.verb != "train.run":
        raise ArtifactError(f"{home}: made by {record.verb}; only runs of train.run can be traced")
    for held in record.inputs:
        if held.key == "tokens":
            return record.config, Path(os.path.normpath(home / held.path))
    return record.config, None


def _require_order(home: Path, found: str, tokens: TokenSet) -> None:
    held = read_order(home) or newest_state(home / FOLDER)
    wanted = held.order_digest if held else None
    if wanted is not None and wanted != found:
        raise ArtifactError(
            f"{home}: has read another order of data than {tokens.path} gives now; the tokens were "
            "made again from other text, or another version of olmeda orders them: say where those "
            "of the run lie: --tokens FOLDER"
        )
