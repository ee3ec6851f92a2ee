"""The one way loops over numbers are compiled: by numba, cached on disk beside their source."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

from numba import njit
from numba.core.caching import FunctionCache, IndexDataCacheFile

F = TypeVar("F", bound=Callable[..., Any])
LOOSE = {"reassoc", "contract", "nsz"}


class KernelCache(FunctionCache):  # type: ignore[misc]
    """numba's cache, stale as soon as any file of this folder changes.

    numba looks at the file of a function only, and not at those of what it calls.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        self._cache_file = IndexDataCacheFile(
            cache_path=self._cache_path, filename_base=self._impl.filename_base,
            source_stamp=sources_digest(),
        )  # fmt: skip


@functools.cache
def sources_digest(folder: Path = Path(__file__).parent) -> str:
    """What the kernels are made of."""
    digest = hashlib.sha256()
    for file in sorted(folder.glob("*.py")):
        digest.update(f"{file.name}\n{file.stat().st_size}\n".encode() + file.read_bytes())
    return digest.hexdigest()


def compiled(function: F) -> F:
    """Compile ``function`` at its first call; while it runs, other threads may run Python."""
    return cast(F, _cached(njit(nogil=True)(function)))


def compiled_loosely(function: F) -> F:
    """As ``compiled``, and sums may be taken in any order, so that they become vectors."""
    return cast(F, _cached(njit(nogil=True, fastmath=LOOSE)(function)))


def _cached(dispatcher: Any) -> Any:
    dispatcher._cache = KernelCache(dispatcher.py_func)
    return dispatcher
