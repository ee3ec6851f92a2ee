"""One process at a time: a lock beside what is being made, which dies with its holder."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from olmeda.base.errors import ResourceError


@contextlib.contextmanager
def sole_maker(out: Path) -> Iterator[None]:
    """Hold ``.<name>.lock`` beside ``out`` while inside.

    Raises ResourceError if another process holds it.
    """
    lock = out.with_name(f".{out.name}.lock")
    with _locked(lock, out):
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)


def _locked(lock: Path, out: Path) -> IO[str]:
    while True:
        handle = open(lock, "w")
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            handle.close()
            raise ResourceError(f"{out}: another process is making it now; wait for it") from None
        if _is_same_file(handle, lock):
            return handle
        handle.close()  # its last holder took the file away in between


def _is_same_file(handle: IO[str], lock: Path) -> bool:
    try:
        return lock.stat().st_ino == os.fstat(handle.fileno()).st_ino
    except FileNotFoundError:
        return False
