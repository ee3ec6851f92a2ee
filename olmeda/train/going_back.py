"""After a loss that is no number: back to a saved state, and past the batches that led there.

What PaLM did by hand (Chowdhery et al. 2022, section 5.1: restart before the spike, skip the
batches around it). The places of all other batches in the order do not change.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from olmeda.base.log import say
from olmeda.train.duration import Duration, Position
from olmeda.train.loop import Batches, Diverged, Every, Moment, call_hooks
from olmeda.train.machine import OutOfMemory
from olmeda.train.progress import ProgressLog
from olmeda.train.saving import StateSaver, last_saved
from olmeda.train.state import (
    SavedState,
    Skipped,
    Trained,
    captured,
    drop,
    restore,
    saved_states,
)
from olmeda.train.whole_state import whole_state


class GoingBack:
    """Where a run is, what it passed over, and whether it may go back once more."""

    def __init__(
        self, folder: Path, trained: Trained, batches: Batches, times: int, held: SavedState | None
    ) -> None:
        self._folder, self._trained, self._batches = folder, trained, batches
        self._times = times
        self._skipped: tuple[Skipped, ...] = held.skipped if held else ()
        self._done = held.steps if held else 0

    def note(self, moment: Moment) -> Mapping[str, Any]:
        """A hook of every step: that it is done."""
        self._done = moment.position.steps
        return {}

    def saving(
        self, saver: StateSaver, log: ProgressLog | None
    ) -> Callable[[Moment], Mapping[str, Any]]:
        """The hook that saves the state."""
        order, trained = self._trained.order_digest, self._trained

        def save(moment: Moment) -> Mapping[str, Any]:
            place = moment.position
            logged = log.saved_bytes() if log else 0
            state = SavedState(
                place.steps, place.tokens, place.epochs, order, logged, self._skipped
            )
            saver.save(captured(trained), state)
            return {}

        return save

    def through(
        self,
        attempt: Callable[[Position | None], Position],
        start: Position | None,
        until: int,
        every: Every,
        saver: StateSaver,
        log: tuple[ProgressLog, Duration] | None,
    ) -> Position:
        """Train by ``attempt(start)`` until step ``until``, going back where that is allowed.

        ``log``, with its rhythm, gets a row for what was passed over. Where that reaches the last
        step, the hooks due at the end are called here, once.
        """
        while True:
            try:
                return attempt(start)
            except Diverged as problem:
                before, moment = self._go(problem, saver, log[0] if log else None, until)
            except OutOfMemory as problem:
                raise OutOfMemory(f"{problem}. {last_saved(self._folder)}") from None
            start, last = moment.position, moment.last
            if log and not (last and log[1].due(before, start, last)):
                log[0].record(moment)
            if last:
                call_hooks(every, before, moment)

    def _go(
        self, problem: Diverged, saver: StateSaver, log: ProgressLog | None, until: int
    ) -> tuple[Position, Moment]:
        """Restore a saved state; where that was, and where training goes on, past the bad step.

        Raises Diverged where there is no state, or the run went back often enough.
        """
        saver.wait()
        world = self._trained.world
        if world.is_first:
            self._drop_what_went_wrong_before()
        held = whole_state(self._folder, world)
        if held is None or len(self._skipped) >= self._times:
            raise Diverged(f"{problem}. {last_saved(self._folder)}") from None
        restore(self._folder, held, self._trained)
        bad = self._done + 1
        past = [held.steps, *(s.last for s in self._skipped)]
        self._skipped += (Skipped(max(past) + 1, bad),)
        self._done = bad
        if log is not None:
            log.cut(held.progress_bytes)
            say(f"{problem}; going back to step {held.steps}, on after step {bad}")
        here = Position(bad, held.tokens, self._batches.after(bad).epochs)
        return held.position, Moment(here, {"went_back_to": held.steps}, last=bad == until)

    def _drop_what_went_wrong_before(self) -> None:
        states = saved_states(self._folder)
        if len(states) > 1 and self._skipped and self._skipped[-1].last >= states[-1].steps:
            drop(self._folder, states[-1])
