"""Task arithmetic: add task vectors, each with its weight (Ilharco et al. 2023)."""

from __future__ import annotations

import numpy as np

from olmeda.merge.methods.linear import weighted_sum
from olmeda.merge.registries import merge_method


@merge_method("task_arithmetic")
def task_arithmetic(
    deltas: list[np.ndarray], *, weights: list[float], scale: float = 1.0, normalize: bool = False
) -> np.ndarray:
    """Add up the weighted task vectors.

    With a general model at weight 1 and a skill at ``w`` this is the parallel-train-then-merge of
    Merge to Learn (Morrison et al. 2024). ``normalize`` divides by the sum of the weights.
    """
    merged = weighted_sum(deltas, weights)
    return merged * (scale / sum(weights) if normalize else scale)
