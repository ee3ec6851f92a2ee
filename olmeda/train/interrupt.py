"""An orderly stop: SIGTERM is noted, and acted upon between two steps."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import Any

from olmeda.base.errors import ResourceError
from olmeda.train.loop import Moment
from olmeda.train.saving import StateSaver
from olmeda.train.world import ALONE, World


class StopRequest:
    """Whether somebody asked this process to end."""

    def __init__(self) -> None:
        self.made = False

    def note(self, number: int, frame: FrameType | None) -> None:
        """The signal handler."""
        self.made = True


@contextlib.contextmanager
def noting_sigterm() -> Iterator[StopRequest]:
    """Turn SIGTERM into a request while inside; elsewhere than in the main thread do nothing.

    Ctrl-C and SIGKILL are left alone: they end at once, and the last saved state stays.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    before = signal.signal(signal.SIGTERM, request.note)
    try:
        yield request
    finally:
        signal.signal(signal.SIGTERM, before)
    if request.made:  # after the last step nobody asked any more: pass it on
        signal.raise_signal(signal.SIGTERM)


def stop_when_asked(
    request: StopRequest,
    save: Callable[[Moment], Mapping[str, Any]],
    saver: StateSaver,
    folder: Path,
    world: World = ALONE,
) -> Callable[[Moment], Mapping[str, Any]]:
    """A hook that saves the state and raises ResourceError once a stop was requested.

    Asked is the world: a signal reaches its processes at different steps, and they stop at one.
    The same question finds out whether a write in the background failed, and ends the run then.
    """

    def stop(moment: Moment) -> Mapping[str, Any]:
        asked, failed = world.most(request.made, saver.has_failed)
        if failed:
            saver.wait()
        if asked:
            save(moment)
            saver.wait()
            raise ResourceError(
                f"asked to stop (SIGTERM): the state after step {moment.position.steps} lies in "
                f"{folder}; run the same command again to go on"
            )
        return {}

    return stop
