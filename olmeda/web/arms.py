"""Arms of a comparison: one way of training, run once or with several seeds."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from olmeda.artifacts.estimate import Estimate, over_seeds
from olmeda.web.curves import Band, Points
from olmeda.web.sections.training import HELD_OUT, LAST, Run

Figure = Callable[[Run], float | None]
"""One number of a run; None where it has none."""


@dataclass(frozen=True)
class Arm:
    """Runs under one name, in the order of their seeds."""

    name: str
    runs: tuple[Run, ...]

    def band(self, measure: str, thin: Callable[[Points], Points] | None = None) -> Band:
        """``(step, mean, lowest, highest)`` over the runs, at the steps that all of them logged.

        ``thin``: makes fewer points of those of each run first.
        """
        lines = [dict(thin(p) if thin else p) for p in self._points(measure)]
        steps = [s for s in lines[0] if all(s in line for line in lines)] if lines else []
        found = []
        for step in steps:
            values = [line[step] for line in lines]
            found.append((float(step), statistics.fmean(values), min(values), max(values)))
        return found

    def _points(self, measure: str) -> list[list[tuple[float, float]]]:
        return [points for run in self.runs if (points := run.points(measure))]

    def estimate(self, figure: Figure) -> Estimate | None:
        """The mean over seeds of a figure that every run has, with its interval."""
        values = [value for run in self.runs if (value := figure(run)) is not None]
        if len(values) < len(self.runs):
            return None
        return over_seeds(np.array(values, np.float64))

    def difference(self, other: Arm, figure: Figure) -> Estimate | None:
        """This arm minus ``other``, seed by seed; None where the seeds cannot be paired."""
        ours = [figure(run) for run in self.runs]
        theirs = [figure(run) for run in other.runs]
        if len(ours) != len(theirs) or None in ours or None in theirs:
            return None
        return over_seeds(np.array(ours, np.float64) - np.array(theirs, np.float64))


def measures_of(arms: Sequence[Arm], prefix: str) -> list[str]:
    """The single figures that any run logged under names that start with ``prefix``."""
    names: dict[str, None] = {}
    for arm in arms:
        for run in arm.runs:
            for row in run.progress:
                names |= {n: None for n, v in row.items()
                          if n.startswith(prefix) and isinstance(v, (int, float))}  # fmt: skip
    return list(names)


def last(measure: str) -> Figure:
    """The last value of a measure."""

    def figure(run: Run) -> float | None:
        points = run.points(measure)
        return points[-1][1] if points else None

    return figure


def last_loss(run: Run) -> float | None:
    """The training loss over the last logged steps."""
    values = [y for _, y in run.points("loss")[-LAST:]]
    return statistics.fmean(values) if values else None


def held_out_mean(run: Run) -> float | None:
    """The last bits per byte, the plain mean over the sources."""
    values = [last(HELD_OUT + source)(run) for source in run.held_out]
    known = [value for value in values if value is not None]
    return statistics.fmean(known) if known else None
