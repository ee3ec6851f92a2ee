"""Memory for what does not outlive a call, a little larger than asked for.

torch asks for aligned memory, and the C library (glibc before 2.38) fills a hole only if it is some
bytes larger than what is asked: holes of exactly the size of a layer's tensors stay empty, and a
step grows by half. With a spare part, the next tensor of that size fits.
"""

from __future__ import annotations

import math

from torch import Tensor

SPARE = 256
"""One part in so many is spare: a larger hole still takes a smaller one with its own."""


def scratch(like: Tensor, *shape: int) -> Tensor:
    """An unset tensor of ``shape``, of the type and device of ``like``."""
    size = math.prod(shape)
    return like.new_empty(size + size // SPARE)[:size].view(shape)
