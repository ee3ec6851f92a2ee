"""The one way loops over numbers are compiled: by numba, cached on disk beside their source.

numba looks at the file of a function to see whether what it cached is stale, not at the files of
what it calls: after a change in ``vectors.py`` or ``tiles.py`` delete ``__pycache__`` here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit
from numba.core import entrypoints

# At the first kernel numba would import every installed package that offers it types.
entrypoints._already_initialized = True

F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """Compile ``function`` at its first call; while it runs, other threads may run Python."""
    return cast(F, njit(cache=True, nogil=True)(function))
