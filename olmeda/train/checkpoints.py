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

from olmeda.artifacts.lineage import RECORD, Lineage, Making, Plan, is_finished, record
from olmeda.base.config import Config
from olmeda.base.errors import ArtifactError
from olmeda.base.files import digest_value, remove_tree
from olmeda.base.log import say
from olmeda.train.duration import Duration
from olmeda.train.loop import Moment
from olmeda.train.world import ALONE, World

STEP = "step-" + "[0-9]" * 8
"""The names of kept checkpoints."""


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


def clear_others(making: Making, world: World = ALONE) -> None:
    """Remove kept checkpoints of other settings, where the run may take the place of others.

    Raises ArtifactError where it may not, and where one of them is what the run reads: kept
    checkpoints of two runs would look like those of one. Every process calls it.
    """
    problem = _clear(making) if world.is_first else ""
    if told := world.told(problem.encode()):
        raise ArtifactError(told.decode())


def _clear(making: Making) -> str:
    """Clear what may be cleared; otherwise the sentence about what may not."""
    plan, home = making.plan, kept_folder(making.out)
    others = [] if plan is None else [p for p in sorted(home.glob(STEP)) if not _is_of(plan, p)]
    if plan is None or not others:
        return ""
    named = ", ".join(p.name for p in others[:3]) + (", …" if len(others) > 3 else "")
    if read := [p for p, _, _ in plan.inputs.values() if home.resolve() in p.resolve().parents]:
        return f"{read[0]}: is an input of this run and lies where it keeps its own; choose another"
    if not making.replaces:
        return (
            f"{home}: holds checkpoints that a run of other settings or inputs kept ({named}); "
            "choose another output, or say --replace to remove them"
        )
    for other in others:
        (other / RECORD).unlink(missing_ok=True)  # no half of it looks whole
        remove_tree(other)
    say(f"{home}: removed what a run of other settings or inputs kept: {named}")
    return ""


def _is_of(plan: Plan, kept: Path) -> bool:
    """Whether a kept checkpoint is one of this run."""
    try:
        return Lineage.open(kept).key == _key(plan, int(kept.name.removeprefix("step-")))
    except ArtifactError:
        return False


def _key(plan: Plan, steps: int) -> str:
    return digest_value([plan.key, "step", steps])


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
        own = msgspec.structs.replace(plan, key=_key(plan, steps))
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
