"""The processes that make one artifact together: the first one records it, the others help.

What they say to each other goes through ``Crew``; this room knows no more of them than that.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any, Protocol

from olmeda.base.errors import ConfigError


class Crew(Protocol):
    """This process among those that make an artifact."""

    @property
    def is_first(self) -> bool:
        """Whether this process records the artifact."""

    def told(self, message: bytes) -> bytes:
        """What the first process passes here; every process calls it at the same place."""


class Alone:
    """One process, which does everything."""

    is_first = True

    def told(self, message: bytes) -> bytes:
        """The message itself."""
        return message


def started_processes() -> int:
    """How many processes torchrun, or another launcher that speaks as it does, started."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def speaks() -> bool:
    """Whether this process is the one that tells a person how it went."""
    return os.environ.get("RANK", "0") == "0"


@contextlib.contextmanager
def working_alone(config: Any) -> Iterator[Crew]:
    """The crew of a verb that one process does. Raises ConfigError where several were started."""
    if started_processes() > 1:
        raise ConfigError(
            f"torchrun started {started_processes()} processes, and this command works in one; "
            "start it without torchrun"
        )
    yield Alone()
