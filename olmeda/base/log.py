"""What a person sees while work runs: plain lines, and progress on anything over two seconds."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from rich.progress import Progress

T = TypeVar("T")
QUIET_SECONDS = 2.0
"""Work that ends sooner shows no progress at all."""
PLAIN_SECONDS = 15.0
"""Where the output is no terminal: one plain line this often."""


def say(message: str) -> None:
    """Print one line for the person, on standard error, at once."""
    print(message, file=sys.stderr, flush=True)


def progress(items: Iterable[T], label: str, total: int | None = None) -> Iterator[T]:
    """Yield ``items``; after two seconds show a bar (terminal) or a line now and then (else)."""
    if total is None:
        total = len(items) if isinstance(items, (list, tuple, range)) else None
    meter = Meter(label, total)
    try:
        for item in items:
            yield item
            meter.advance()
    finally:
        meter.close()


class Meter:
    """Progress by hand: ``advance`` after each unit, ``close`` at the end."""

    def __init__(self, label: str, total: int | None = None) -> None:
        self.label, self.total, self.done = label, total, 0
        self._began = self._spoken = time.monotonic()
        self._bar: Progress | None = None

    def advance(self, units: int = 1, note: str = "") -> None:
        """Count ``units`` as done; ``note`` is shown beside the count."""
        self.done += units
        now = time.monotonic()
        if now - self._began < QUIET_SECONDS:
            return
        if sys.stderr.isatty():
            self._draw(note)
        elif now - self._spoken >= PLAIN_SECONDS:
            self._spoken = now
            of = f"/{self.total}" if self.total else ""
            say(f"{self.label}: {self.done}{of} ({now - self._began:.0f} s) {note}".rstrip())

    def _draw(self, note: str) -> None:
        from rich.console import Console
        from rich.progress import Progress

        if self._bar is None:
            self._bar = Progress(transient=True, console=Console(stderr=True))
            self._bar.add_task(self.label, total=self.total)
            self._bar.start()
        task = self._bar.task_ids[0]
        self._bar.update(task, completed=self.done, description=f"{self.label} {note}".rstrip())

    def close(self) -> None:
        """Take the bar off the terminal, if one was drawn."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
