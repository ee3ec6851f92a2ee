"""TensorBoard's event files."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from olmeda.train.loop import Hook
from olmeda.train.monitors import Opening
from olmeda.train.trackers.registry import opening_of, required, sending, settings_of, tracker


@tracker("tensorboard")
@contextlib.contextmanager
def tensorboard(opening: Opening, *, folder: str = "") -> Iterator[Hook]:
    """Event files below ``folder``, or in the journal of the run: ``tensorboard --logdir``.

    Where a run goes on from a saved state, what was shown past it is taken back.
    """
    required("tensorboard", "tensorboard")
    writing = required("tensorboard", "torch.utils.tensorboard")
    place = f"{folder}/{opening.name}" if folder else str(opening.journal / "tensorboard")
    purge = opening.steps + 1 if opening.steps else None
    with opening_of("tensorboard"):
        writer = writing.SummaryWriter(place, purge_step=purge, flush_secs=10)

    def send(step: int, shown: dict[str, float]) -> None:
        for name, value in shown.items():
            writer.add_scalar(name, value, step)

    try:
        if not opening.steps:
            writer.add_text("settings", f"    {settings_of(opening)}", 0)
        with sending("tensorboard", send) as record:
            yield record
    finally:
        writer.close()
