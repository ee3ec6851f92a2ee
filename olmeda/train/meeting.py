"""Where the processes of a launcher find each other: a place for notes that nobody used before.

torchrun's store outlives its processes: after a restart it holds the notes of those who ended, and
neither its address nor the number of restarts, which each machine counts for itself, tells them
apart. So the first process makes up a name, and gives it to those alone who ask for it now.
"""

from __future__ import annotations

import datetime
import itertools
import os
import time
from typing import TYPE_CHECKING

from olmeda.base.errors import ResourceError

if TYPE_CHECKING:
    from torch.distributed.distributed_c10d import Store

LOOK_SECONDS = 0.05
_MEETINGS = itertools.count()
"""All processes meet in the same order; who is quick must not be answered about the one before."""


def meeting(timeout_seconds: float) -> tuple[Store, int, int]:
    """A fresh place for notes, this process's rank, and the number of processes.

    Raises ResourceError where they do not come together in time.
    """
    from torch.distributed.distributed_c10d import PrefixStore
    from torch.distributed.rendezvous import rendezvous

    wait = datetime.timedelta(seconds=timeout_seconds)
    try:
        store, rank, size = next(rendezvous("env://", timeout=wait))
        name = _agreed_name(store, rank, size, time.monotonic() + timeout_seconds)
    except (RuntimeError, ValueError) as problem:
        told = str(problem).strip().partition("\n")[0]
        raise ResourceError(f"the processes could not come together: {told}") from None
    return PrefixStore(name, store), rank, size


def _agreed_name(store: Store, rank: int, size: int, until: float) -> str:
    """The name that the first process made up, on every process."""
    own, number = os.urandom(8).hex(), next(_MEETINGS)
    if rank:
        store.set(f"asks/{number}/{rank}", own)
        while not store.check([f"answer/{own}"]):
            _pause(until)
        name = bytes(store.get(f"answer/{own}")).decode()
        store.add(f"{name}/met", 1)
        return name
    answered: set[str] = set()
    while store.add(f"{own}/met", 0) < size - 1:
        for other in range(1, size):
            if store.check([f"asks/{number}/{other}"]):
                asked = bytes(store.get(f"asks/{number}/{other}")).decode()
                if asked not in answered:  # an old question is answered too, and nobody listens
                    store.set(f"answer/{asked}", own)
                    answered.add(asked)
        _pause(until)
    return own


def _pause(until: float) -> None:
    if time.monotonic() > until:
        raise RuntimeError("another process did not come in time")
    time.sleep(LOOK_SECONDS)
