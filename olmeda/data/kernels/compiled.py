"""The one way kernels are compiled: by numba, cached on disk beside their source."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit

F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """Compile ``function`` at its first call, for the types it is called with."""
    return cast(F, njit(cache=True)(function))
