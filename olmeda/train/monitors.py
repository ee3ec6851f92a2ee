"""What watches a run: hooks between steps, and inspectors that see the gradients of a step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from olmeda.train.duration import Duration
from olmeda.train.loop import Every
from olmeda.train.step import Inspector


@dataclass(frozen=True)
class Monitors:
    """``every`` joins the loop's list of hooks before the log; ``inspect`` goes into the step."""

    every: Every = ()
    inspect: Sequence[tuple[Duration, Inspector]] = ()


NOTHING = Monitors()
