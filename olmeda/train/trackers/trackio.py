"""trackio: runs in a local database, or in a Space of Hugging Face."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator

from olmeda.train.loop import Hook
from olmeda.train.monitors import Opening
from olmeda.train.trackers.registry import (
    opening_of,
    remembered,
    required,
    sending,
    settings_of,
    tracker,
)


@tracker("trackio")
@contextlib.contextmanager
def trackio(opening: Opening, *, project: str = "olmeda", space: str = "") -> Iterator[Hook]:
    """A run of trackio's ``project``: ``trackio show``. ``space``: a Space to show it in instead.

    Where a run goes on from a saved state, steps past it are shown twice.
    """
    package = required("trackio", "trackio")
    with opening_of("trackio"):
        run = package.init(
            project=project,
            name=remembered(opening.journal, "trackio", f"{opening.name}-{uuid.uuid4().hex[:6]}"),
            space_id=space or None,
            config=settings_of(opening),
            resume="allow",
        )

    def send(step: int, shown: dict[str, float]) -> None:
        run.log(shown, step=step)

    with sending("trackio", send) as record:
        try:
            yield record
        finally:
            run.finish()
