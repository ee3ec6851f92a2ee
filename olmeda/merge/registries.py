"""The registry of merge methods: functions from deltas to one merged delta."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import numpy as np
from pydantic import AfterValidator, BeforeValidator

from olmeda.base.registry import Registry, Spec

MergeMethod = Callable[..., np.ndarray]
"""``method(deltas, *, weights, ...) -> delta``: arrays of one shape, float32 or float64.

``deltas`` are the models' differences from the origin, in the order of ``weights``. A method that
draws random numbers takes ``seed``, which is derived for each tensor from its name.
"""

merge_method: Registry[MergeMethod] = Registry("merge_method", "olmeda.merge.methods")

MethodSpec = Annotated[Spec, BeforeValidator(Spec.of), AfterValidator(merge_method.known)]
"""A method as a recipe names it: ``linear``, or ``{name: ties, density: 0.3}``."""
