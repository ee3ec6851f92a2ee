"""After a loss that is no number: back to a saved state, and past the batches that led there.

What PaLM did by hand (Chowdhery et al. 2022, section 5.1: restart before the spike, skip the
batches around it). The places of all other batches in the order do not change.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from olmeda.base.log import say
from olmeda.train.duration import Position
from olmeda.train.loop import Batches, Diverged, Moment
from olmeda.train.progress import ProgressLog
from olmeda.train.saving import StateSaver, last_saved
from olmeda.train.state import (
    SavedState,
    Skipped,
    Trained,
    captured,
    drop,
    newest_state,
    restore,
    saved_states,
)
from olmeda.train.world import World


def agreed(state: SavedState | None, world: World) -> SavedState | None:
    """The state that the first process found, on every process."""
    told = world.told(msgspec.json.encode(state))
    return msgspec.json.decode(told, type=SavedState | None)


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

    def go(self, problem: Diverged, saver: StateSaver, log: ProgressLog | None) -> Position:
        """Restore a saved state; return where training goes on, after the step that went wrong.

        Raises Diverged where there is no state, or the run went back often enough.
        """
        saver.wait()
        world = self._trained.world
        states = saved_states(self._folder)
        again = bool(self._skipped and states and self._skipped[-1].last >= states[-1].steps)
        if world.is_first and again and len(states) > 1:
            drop(self._folder, states[-1])  # going on from there went wrong before
        held = agreed(newest_state(self._folder), world)
        if held is None or len(self._skipped) >= self._times:
            raise Diverged(f"{problem}. {last_saved(self._folder)}") from None
        restore(self._folder, held, self._trained)
        bad = self._done + 1
        past = [held.steps, *(s.last for s in self._skipped)]
        self._skipped += (Skipped(max(past) + 1, bad),)
        self._done = bad
        if log is not None:
            log.cut(held.progress_bytes)
            gone = Moment(Position(bad, held.tokens, 0.0), {"went_back_to": held.steps}, last=False)
            log.record(gone)
            say(f"{problem}; going back to step {held.steps}, on after step {bad}")
        return Position(bad, held.tokens, self._batches.after(bad).epochs)
