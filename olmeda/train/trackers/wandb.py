"""Weights & Biases."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator
from typing import Literal

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


@tracker("wandb")
@contextlib.contextmanager
def wandb(
    opening: Opening,
    *,
    project: str = "olmeda",
    entity: str = "",
    group: str = "",
    tags: list[str] | None = None,
    mode: Literal["online", "offline"] = "online",
) -> Iterator[Hook]:
    """A run at Weights & Biases; one that goes on stays the same run. The key is wandb's affair.

    Steps that were shown already are shown as they were: it takes no step a second time.
    """
    package = required("wandb", "wandb")
    with opening_of("wandb"):
        run = package.init(
            project=project,
            entity=entity or None,
            group=group or None,
            tags=tags,
            name=opening.name,
            id=remembered(opening.journal, "wandb", uuid.uuid4().hex[:12]),
            resume="allow",
            dir=str(opening.journal),
            mode=mode,
            config=settings_of(opening),
        )

    def send(step: int, shown: dict[str, float]) -> None:
        run.log(shown, step=step)

    with sending("wandb", send) as record:
        try:
            yield record
        except BaseException:
            run.finish(exit_code=1)
            raise
        run.finish()
