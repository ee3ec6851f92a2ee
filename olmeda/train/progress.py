"""What training says of itself: measures without clocks, speed with them, a line for people."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from olmeda.artifacts.training_log import LAUNCHES, PROGRESS, SPEED, Launch
from olmeda.base.errors import ArtifactError
from olmeda.base.log import Meter
from olmeda.train.loop import Moment

__all__ = ["PROGRESS", "SPEED", "ProgressLog", "SpeedLog", "StepMeter", "note_launch"]


class ProgressLog:
    """``progress.jsonl`` of a checkpoint: one row a logged step, a pure function of the run."""

    def __init__(self, file: Path, keep_bytes: int = 0) -> None:
        """Go on after ``keep_bytes``: what a killed run wrote past its last saved state goes.

        Raises ArtifactError for a log that is shorter than that.
        """
        held = file.stat().st_size if file.is_file() else 0
        if held < keep_bytes:
            raise ArtifactError(
                f"{file}: has {held} bytes, and the saved state was written after {keep_bytes} of "
                "them; bring the file back, or choose another output and begin again"
            )
        self._out = open(file, "ab")
        self._out.truncate(keep_bytes)

    def record(self, moment: Moment) -> Mapping[str, Any]:
        """Append the moment's measures; flushed, so that a watcher sees them."""
        row = {"step": moment.position.steps, "tokens": moment.position.tokens, **moment.measures}
        self._out.write(msgspec.json.encode(row) + b"\n")
        self._out.flush()
        return {}

    def cut(self, keep_bytes: int) -> None:
        """Forget the rows after ``keep_bytes``: the run went back to before them."""
        self._out.truncate(keep_bytes)

    def saved_bytes(self) -> int:
        """The length of the log, once it is safe on disk."""
        os.fsync(self._out.fileno())
        return os.fstat(self._out.fileno()).st_size

    def close(self) -> None:
        """Close the file."""
        self._out.close()


class SpeedLog:
    """``journal/speed.jsonl``: tokens a second between logged steps, hooks included."""

    def __init__(self, file: Path, flops_per_token: float = 0.0, peak_flops: float = 0.0) -> None:
        """``flops_per_token`` over ``peak_flops`` (of all processes) gives the utilisation."""
        self._out = open(file, "ab")
        self._clock, self._tokens = time.perf_counter(), 0
        self._started = False
        self._share = flops_per_token / peak_flops if peak_flops else 0.0
        self.tokens_per_second = 0.0

    def record(self, moment: Moment) -> Mapping[str, Any]:
        """Append and return the speed since the call before; the first only starts the clock.

        ``mfu``: the share of the machine's matrix-product peak that the model's own operations
        took up; what is computed again to save memory does not count.
        """
        now, tokens = time.perf_counter(), moment.position.tokens
        found: dict[str, float] = {}
        if self._started and tokens > self._tokens:
            seconds = now - self._clock
            self.tokens_per_second = (tokens - self._tokens) / seconds
            found = {"tokens_per_second": round(self.tokens_per_second, 1)}
            if self._share:
                found["mfu"] = round(self.tokens_per_second * self._share, 4)
            row = {"step": moment.position.steps, "seconds": round(seconds, 4), **found}
            self._out.write(msgspec.json.encode(row) + b"\n")
            self._out.flush()
        self._clock, self._tokens, self._started = now, tokens, True
        return found

    def close(self) -> None:
        """Close the file."""
        self._out.close()


def note_launch(journal: Path, launch: Launch) -> None:
    """Append to ``journal/launches.jsonl`` that a process has begun, or gone on with, a run."""
    with open(journal / LAUNCHES, "ab") as out:
        out.write(msgspec.json.encode(launch) + b"\n")


class StepMeter:
    """The line a person watches: steps done, loss, tokens a second."""

    def __init__(self, label: str, until: int, done: int, speed: SpeedLog) -> None:
        self._meter = Meter(label, until)
        self._meter.done = done
        self._speed = speed

    def advance(self, moment: Moment) -> Mapping[str, Any]:
        """Count one step."""
        if "loss" in moment.measures:
            speed = self._speed.tokens_per_second
            self._meter.advance(1, f"loss {moment.measures['loss']:.3f}, {speed:,.0f} tokens/s")
        return {}

    def close(self) -> None:
        """Take the line off the terminal."""
        self._meter.close()
