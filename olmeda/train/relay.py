"""How the first of several processes tells the others, while it works alone, how that went.

Notes in the launcher's store; no collective call, which would give up on work that takes hours. The
first process says all the while that it is alive, and the others wait as long as it does.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from olmeda.base.errors import ResourceError
from olmeda.train.meeting import meeting

if TYPE_CHECKING:
    from torch.distributed.distributed_c10d import Store

BEAT_SECONDS = 5.0
"""How often the first process says that it is alive."""
SILENCE_SECONDS = 300.0
"""How long the others wait for such a word."""
LEAVE_SECONDS = 30.0
"""How long the first process waits at the end until the others have read its last note."""
LOOK_SECONDS = 0.2
_BEAT = "beat"


class Relay:
    """A crew of which one works and the others wait; ``told`` passes one note after the other."""

    def __init__(
        self, store: Store, rank: int, size: int, silence: float = SILENCE_SECONDS
    ) -> None:
        self._store, self._rank, self._size, self._silence = store, rank, size, silence
        self._notes = 0

    @property
    def is_first(self) -> bool:
        """Whether this process is the one that works."""
        return self._rank == 0

    def told(self, message: bytes) -> bytes:
        """What the first process passes here, text; the others wait for it while that one lives.

        Raises ResourceError where it is lost, or says nothing for too long.
        """
        self._notes += 1
        with _naming_loss():
            if not self.is_first:
                return self._awaited(f"note/{self._notes}")
            self._store.set(f"note/{self._notes}", message.decode())
            return message

    def _awaited(self, key: str) -> bytes:
        beat, heard = b"", time.monotonic()
        while not self._store.check([key]):
            now = self._store.get(_BEAT) if self._store.check([_BEAT]) else b""
            if now != beat:
                beat, heard = now, time.monotonic()
            elif time.monotonic() - heard > self._silence:
                raise ResourceError(
                    f"process {self._rank} of {self._size}: the first one has said nothing for "
                    f"{self._silence:g} s; end it, and run the same command again to go on"
                )
            time.sleep(LOOK_SECONDS)
        note = bytes(self._store.get(key))
        self._store.add(f"{key}/read", 1)
        return note

    def beat(self, over: threading.Event) -> None:
        """Say again and again that this process is alive, until ``over``."""
        with contextlib.suppress(RuntimeError):  # nobody listens any more: the launcher is gone
            while True:
                self._store.add(_BEAT, 1)
                if over.wait(BEAT_SECONDS):
                    return

    def leave(self) -> None:
        """Wait until the last note is read: it may lie in this process."""
        until = time.monotonic() + LEAVE_SECONDS
        with contextlib.suppress(RuntimeError):  # the launcher is gone, and with it who waited
            while self._notes and time.monotonic() < until:
                if self._store.add(f"note/{self._notes}/read", 0) >= self._size - 1:
                    return
                time.sleep(LOOK_SECONDS)


@contextlib.contextmanager
def relaying(silence: float = SILENCE_SECONDS) -> Iterator[Relay]:
    """The processes that the launcher started, of which the first one works alone, inside."""
    relay = Relay(*meeting(silence), silence)
    over = threading.Event()
    if relay.is_first:
        threading.Thread(target=relay.beat, args=(over,), daemon=True).start()
    try:
        yield relay
    finally:
        if relay.is_first:
            relay.leave()
        over.set()


@contextlib.contextmanager
def _naming_loss() -> Iterator[None]:
    """Turn a broken line to the notes into ResourceError."""
    try:
        yield
    except RuntimeError as problem:
        told = str(problem).strip().partition("\n")[0]
        raise ResourceError(
            f"another process is lost ({told}); run the same command again to go on"
        ) from None
