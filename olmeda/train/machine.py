"""What the machine is asked for: threads, repeatable kernels; and when it has no memory left."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
from torch.utils import deterministic

from olmeda.base.errors import ResourceError

_SHORTAGES = ("can't allocate memory", "out of memory", "not enough memory")


def prepare(threads: int, seed: int) -> None:
    """Use ``threads`` threads, seed torch, and refuse operations whose result may vary.

    Equal results need an equal number of threads too: sums are split between them.
    """
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    torch.use_deterministic_algorithms(True)
    # no kernel here reads memory before it is written, so filling it first would be waste
    deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


class OutOfMemory(ResourceError):
    """A step needs more memory than there is."""


@contextlib.contextmanager
def naming_shortage(step: int) -> Iterator[None]:
    """Turn torch's several ways to say that memory is out into OutOfMemory, with what to do."""
    try:
        yield
    except (RuntimeError, MemoryError) as problem:  # torch.OutOfMemoryError is a RuntimeError
        said = str(problem)
        if not isinstance(problem, MemoryError) and not any(s in said for s in _SHORTAGES):
            raise
        raise OutOfMemory(
            f"step {step}: out of memory ({said.partition(chr(10))[0].strip()}); lower "
            "loop.micro_tokens, or keep less for the way back with compute.recompute=1"
        ) from None
