"""Which states and checkpoints of a run are kept; kept checkpoints are artifacts of their own.

Beside the artifact ``runs/dense`` they lie in ``runs/dense.checkpoints/step-00000100``, readable by
every room while training goes on and after it. Each has the lineage of the run, its own step, and
the lines of ``progress.jsonl`` up to it.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
from pydantic import Field

from olmeda.artifacts.lineage import Making, is_finished, record
from olmeda.base.config import Config
from olmeda.base.files import digest_value
from olmeda.train.duration import Duration
from olmeda.train.loop import Moment
from olmeda.train.world import ALONE, World


class CheckpointsConfig(Config, frozen=True):
    """What is kept of a run besides its end; how often its state is saved says ``save_every``."""

    keep_last: Annotated[int, Field(ge=1)] = 1
    """States to go on from that are kept while the run is unfinished."""
    keep_every: Duration | None = None
    """How often a whole checkpoint is kept beside the run; absent: never."""
    asynchronous: bool = True
    """Write a copy of the state in the background (it takes the memory of one more state)."""
    go_back: Annotated[int, Field(ge=0)] = 0
    """How often a loss that is no number sends the run back to its last saved state, passing over
    the batches from there to the bad one, before it ends the run."""


def kept_folder(out: Path) -> Path:
    """Where the kept checkpoints of the run ``out`` lie."""
    return out.with_name(f"{out.name}.checkpoints")


def keeper(
    making: Making, write: Callable[[Path], None], world: World = ALONE
) -> Callable[[Moment], Mapping[str, Any]]:
    """A hook that makes an artifact of the model as it is; ``write(folder)`` writes its files.

    Every process calls ``write``, for which a sharded model is gathered; the first one records.
    """
    assert making.plan is not None
    plan = making.plan

    def keep(moment: Moment) -> Mapping[str, Any]:
        steps = moment.position.steps
        out = kept_folder(making.out) / f"step-{steps:08d}"
        own = msgspec.structs.replace(plan, key=digest_value([plan.key, "step", steps]))
        if not world.is_first:
            if world.told(b"") == b"make":
                write(out)
            return {}
        if is_finished(out, own):  # a run that went on from before this step makes the same again
            world.told(b"done")
            return {}
        with record(out, own, resumable=False, replace=True) as kept:
            world.told(b"make")
            write(kept.path)
            shutil.copyfile(making.path / "progress.jsonl", kept.path / "progress.jsonl")
            kept.counts |= {"steps": steps, "tokens": moment.position.tokens}
        return {}

    return keep
