"""Work over many processes whose results come back in the order of the items."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def cores() -> int:
    """The number of cores this process may use (its affinity mask, not the machine's count)."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS and Windows know no affinity
        return os.cpu_count() or 1


def let_idle_threads_sleep() -> None:
    """Make OpenMP threads that wait for others sleep instead of spin; call before torch is loaded.

    On a core shared with another process a spinning thread keeps the one it waits for from
    running: 30 training steps took 120 s spinning and 14 s sleeping (LOG.md, 2026-11-22).
    A policy set in the environment stands.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def _one_thread_each() -> None:
    for name in (
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "NUMBA_NUM_THREADS",
        "RAYON_NUM_THREADS",
    ):
        os.environ[name] = "1"


def ordered_map(
    function: Callable[[Item], Result], items: Sequence[Item], workers: int = 1
) -> Iterator[Result]:
    """Yield ``function(item)`` in the order of ``items``; ``workers`` > 1 uses processes.

    At most ``2 * workers`` items are in flight, so memory does not grow with their number.
    The results do not depend on ``workers``. ``function`` must be importable by name.
    """
    if workers <= 1 or len(items) <= 1:
        yield from map(function, items)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_one_thread_each) as pool:
        waiting: list[Future[Result]] = []
        rest = iter(items)
        for item in rest:
            waiting.append(pool.submit(function, item))
            if len(waiting) >= 2 * workers:
                yield waiting.pop(0).result()
        for future in waiting:
            yield future.result()
