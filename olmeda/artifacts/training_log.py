"""What a training run says of itself, read from its files: finished, unfinished, or running now.

Layout, below the checkpoint or, until it is finished, ``.<name>.making`` beside it::

    progress.jsonl           one row a logged step, without clock times
    journal/speed.jsonl      tokens a second and utilisation, one row a logged step
    journal/launches.jsonl   one row for each process that began or went on with the run
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from olmeda.artifacts.lineage import RECORD
from olmeda.base.errors import ArtifactError

PROGRESS = "progress.jsonl"
SPEED = "speed.jsonl"
LAUNCHES = "launches.jsonl"
QUIET_STEPS = 20
"""A run that has written nothing for so many times its usual pause counts as standing still."""
QUIET_SECONDS = 60.0
"""And never sooner than after so many seconds: probes and saving take their time."""


class Launch(msgspec.Struct, frozen=True):
    """A process beginning at ``step`` of ``until``; the peak is that of all processes together."""

    step: int
    until: int
    started: float
    processes: int = 1
    peak_flops: float = 0.0
    flops_per_token: float = 0.0


@dataclass
class TrainingLog:
    """The rows of one run so far; ``refresh`` reads what has been added."""

    path: Path
    """As it was named: where the finished checkpoint lies, or will."""
    progress: list[dict[str, Any]] = field(default_factory=list)
    speeds: list[dict[str, Any]] = field(default_factory=list)
    launches: list[Launch] = field(default_factory=list)
    finished: bool = False
    _read: dict[str, int] = field(default_factory=dict)
    _home: Path | None = None

    @classmethod
    def open(cls, path: Path) -> TrainingLog:
        """Read what there is. Raises ArtifactError where no training run lies."""
        found = cls(path)
        if found.home is None:
            raise ArtifactError(
                f"{path}: no training run here ({PROGRESS} is missing); name the output folder of "
                "a run that has begun"
            )
        found.refresh()
        return found

    @property
    def home(self) -> Path | None:
        """The folder that holds the files now."""
        making = self.path.with_name(f".{self.path.name}.making")
        return next((p for p in (self.path, making) if (p / PROGRESS).is_file()), None)

    def refresh(self) -> None:
        """Read the rows added since; a run that went back to a saved state is read anew."""
        home = self.home
        if home is None:  # it is being renamed, or was removed
            return
        self._home = home
        self.finished = (home / RECORD).is_file()
        if self._went_back(home):
            self._forget()
        try:
            self._read_on(home)
        except msgspec.MsgspecError:
            self._forget()  # what was read last had been cut off, and other rows stand there now
            try:
                self._read_on(home)
            except msgspec.MsgspecError as problem:
                raise ArtifactError(
                    f"{home}: a log holds a line that is no row: {problem}"
                ) from None

    def _read_on(self, home: Path) -> None:
        _append(self.progress, self._rows(home / PROGRESS, dict))
        _append(self.speeds, self._rows(home / "journal" / SPEED, dict))
        self.launches += self._rows(home / "journal" / LAUNCHES, Launch)

    def _forget(self) -> None:
        self.progress, self.speeds, self.launches, self._read = [], [], [], {}

    def _went_back(self, home: Path) -> bool:
        if (home / PROGRESS).stat().st_size < self._read.get(PROGRESS, 0):
            return True
        launches = home / "journal" / LAUNCHES
        known = self._read.get(LAUNCHES, 0)
        return bool(known) and launches.is_file() and launches.stat().st_size != known

    def _rows(self, file: Path, kind: Any) -> list[Any]:
        """The whole lines of a file past what was read; a line being written waits."""
        if not file.is_file():
            return []
        with open(file, "rb") as lines:
            lines.seek(self._read.get(file.name, 0))
            added = lines.read()
        whole = added[: added.rfind(b"\n") + 1]
        self._read[file.name] = self._read.get(file.name, 0) + len(whole)
        return [msgspec.json.decode(line, type=kind) for line in whole.splitlines()]

    def points(self, measure: str) -> list[tuple[int, Any]]:
        """``(step, value)`` wherever the measure was logged and was a number."""
        rows = self.progress  # NaN and infinity are written as null
        return [(row["step"], row[measure]) for row in rows if row.get(measure) is not None]

    def names(self, prefix: str) -> list[str]:
        """The measures whose names start with ``prefix``, in the order of their first row."""
        return list(dict.fromkeys(n for row in self.progress for n in row if n.startswith(prefix)))

    @property
    def step(self) -> int:
        """The last logged step."""
        return int(self.progress[-1]["step"]) if self.progress else 0

    @property
    def until(self) -> int | None:
        """How many steps the run is to take, as far as is known."""
        return self.launches[-1].until if self.launches else None

    @property
    def seconds_since(self) -> float:
        """Seconds since something was written."""
        if self._home is None:
            return 0.0
        return max(0.0, time.time() - (self._home / PROGRESS).stat().st_mtime)

    @property
    def seconds_a_step(self) -> float | None:
        """Seconds of one step, over the last logged ones."""
        return seconds_a_step(self.speeds[-QUIET_STEPS:])

    @property
    def seconds_left(self) -> float | None:
        """Seconds until the last step at the present speed."""
        if self.until is None or self.seconds_a_step is None:
            return None
        return (self.until - self.step) * self.seconds_a_step

    @property
    def stands_still(self) -> bool:
        """Whether the run is unfinished and nothing has been written for long."""
        usual = (self.speeds[-1]["seconds"] if self.speeds else 0.0) * QUIET_STEPS
        return not self.finished and self.seconds_since > max(usual, QUIET_SECONDS)


def _append(held: list[dict[str, Any]], rows: Sequence[dict[str, Any]]) -> None:
    """Add rows; a step that comes again takes the place of what was logged from it on."""
    for row in rows:
        while held and held[-1]["step"] >= row["step"]:
            held.pop()
        held.append(row)


def seconds_a_step(speeds: Sequence[dict[str, Any]]) -> float | None:
    """The mean over logged stretches; the first row tells where the stretches begin."""
    steps = [row["step"] for row in speeds]
    if len(speeds) < 2 or steps[-1] <= steps[0]:
        return None
    return float(sum(row["seconds"] for row in speeds[1:]) / (steps[-1] - steps[0]))
