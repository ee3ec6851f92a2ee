"""Slerp: go from one model to another along the arc between them (Shoemake 1985)."""

from __future__ import annotations

import numpy as np

from olmeda.base.errors import ConfigError
from olmeda.merge.registries import merge_method

NEARLY_PARALLEL = 0.9995
"""Above this |cosine| the arc is taken as a straight line, as mergekit does."""


@merge_method("slerp")
def slerp(deltas: list[np.ndarray], *, weights: list[float]) -> np.ndarray:
    """Interpolate two models on the sphere, each tensor as one flat vector.

    The way from the first to the second is ``weights[1] / sum(weights)``. Deltas from the base are
    what is interpolated; merge with ``origin: zero`` for the weights themselves.
    """
    if len(deltas) != 2:
        raise ConfigError(f"slerp takes two models, not {len(deltas)}")
    first, second = deltas
    return arc(first, second, weights[1] / sum(weights))


def arc(first: np.ndarray, second: np.ndarray, way: float) -> np.ndarray:
    """The point at ``way`` (0 is ``first``, 1 is ``second``) between two tensors of one shape."""
    norms = np.linalg.norm(first) * np.linalg.norm(second)
    cosine = float(np.vdot(first, second) / norms) if norms > 0 else 1.0
    if abs(cosine) > NEARLY_PARALLEL:
        return (1 - way) * first + way * second
    angle = np.arccos(cosine)
    near, far = np.sin([(1 - way) * angle, way * angle]) / np.sin(angle)
    between: np.ndarray = first * first.dtype.type(near) + second * first.dtype.type(far)
    return between
