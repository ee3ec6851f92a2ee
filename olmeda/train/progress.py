"""What training says of itself: measures without clocks, speed with them, a line for people."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from olmeda.base.log import Meter
from olmeda.train.loop import Moment


class ProgressLog:
    """``progress.jsonl`` of a checkpoint: one row a logged step, a pure function of the run."""

    def __init__(self, file: Path, keep_bytes: int = 0) -> None:
        """Go on after ``keep_bytes``: what a killed run wrote past its last saved state goes."""
        self._out = open(file, "ab")
        self._out.truncate(keep_bytes)

    def record(self, moment: Moment) -> Mapping[str, Any]:
        """Append the moment's measures; flushed, so that a watcher sees them."""
        row = {"step": moment.position.steps, "tokens": moment.position.tokens, **moment.measures}
        self._out.write(msgspec.json.encode(row) + b"\n")
        self._out.flush()
        return {}

    def saved_bytes(self) -> int:
        """The length of the log, once it is safe on disk."""
        os.fsync(self._out.fileno())
        return os.fstat(self._out.fileno()).st_size

    def close(self) -> None:
        """Close the file."""
        self._out.close()


class SpeedLog:
    """``journal/speed.jsonl``: tokens a second between logged steps, hooks included."""

    def __init__(self, file: Path) -> None:
        self._out = open(file, "ab")
        self._clock, self._tokens = time.perf_counter(), 0
        self.tokens_per_second = 0.0

    def record(self, moment: Moment) -> Mapping[str, Any]:
        """Append the speed since the call before; the first call only starts the clock."""
        now, tokens = time.perf_counter(), moment.position.tokens
        if self._tokens:
            seconds = now - self._clock
            self.tokens_per_second = (tokens - self._tokens) / seconds
            row = {
                "step": moment.position.steps,
                "seconds": round(seconds, 4),
                "tokens_per_second": round(self.tokens_per_second, 1),
            }
            self._out.write(msgspec.json.encode(row) + b"\n")
        self._clock, self._tokens = now, tokens
        return {}

    def close(self) -> None:
        """Close the file."""
        self._out.close()


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
