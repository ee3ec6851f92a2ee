"""What watches a run: hooks between steps, and inspectors that see the gradients of a step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from torch import Tensor

from olmeda.train.duration import Duration
from olmeda.train.loop import Every, Hook
from olmeda.train.step import Inspector


@dataclass(frozen=True)
class Opening:
    """What a tracker is told when a run begins or goes on: its name, where its journal lies, and
    the steps that are done (0 at the very start)."""

    name: str
    journal: Path
    steps: int


Tracker = Callable[[Opening], AbstractContextManager[Hook]]
"""Opens a place that shows runs; the hook inside gets every logged moment, speed included."""


@dataclass(frozen=True)
class Monitors:
    """``every`` joins the loop's list of hooks before the log; ``inspect`` goes into the step."""

    every: Every = ()
    inspect: Sequence[tuple[Duration, Inspector]] = ()
    memory: Mapping[str, Tensor] = field(default_factory=dict)
    """What they remember from step to step, changed in place: saved with the state to resume
    from, and filled again before the first step of a run that goes on."""
    trackers: Sequence[Tracker] = ()
    """Called after the log, where something is logged; opened by the first process alone."""
    flops_per_token: float = 0.0
    """Operations of training on one token; 0: not known, and no utilisation is logged."""
    peak_flops: float = 0.0
    """Operations a second that the machines of all processes could do."""


NOTHING = Monitors()
