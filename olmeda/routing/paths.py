"""Paths across layers: which experts of a later layer the tokens of an expert visit next.

The published script pairs experts of equal rank only (rank 1 with rank 1, ...); here a token's
expert in one layer is paired with each of its experts in the other.

Shapes: ``N`` tokens, ``L`` layers, ``K`` chosen experts, ``E`` experts.
"""

from __future__ import annotations

import numpy as np

from olmeda.routing.measures import visits


def transitions(
    chosen_NLK: np.ndarray, experts: int, first: int, second: int, *, equal_ranks_only: bool = False
) -> np.ndarray:
    """Of the tokens that chose i in layer ``first``, the share that chose j in ``second``.

    ``[E, E]``; rows sum to K, or to 0 where nobody chose i. If the layers were independent each
    row would be ``visits / tokens`` of the second layer. ``equal_ranks_only`` counts pairs as the
    published script does (rows then sum to 1).
    """
    chosen = chosen_NLK.shape[2]
    counted = np.zeros(experts * experts, np.int64)
    for here in range(chosen):
        for there in [here] if equal_ranks_only else range(chosen):
            cells = chosen_NLK[:, first, here].astype(np.int64) * experts
            cells += chosen_NLK[:, second, there]
            counted += np.bincount(cells, minlength=len(counted))
    from_E1 = visits(chosen_NLK[:, [first]], experts)[0][:, None]
    pairs = counted.reshape(experts, experts)
    return np.asarray(np.divide(pairs, from_E1, where=from_E1 > 0, out=np.zeros(pairs.shape)))


def independent(chosen_NLK: np.ndarray, experts: int, second: int) -> np.ndarray:
    """What every row of ``transitions`` would be if layers knew nothing of each other, ``[E]``."""
    return np.asarray(visits(chosen_NLK[:, [second]], experts)[0] / len(chosen_NLK))


def shared_information(chosen_NLK: np.ndarray, experts: int, first: int, second: int) -> float:
    """Mutual information in bits of a token's most probable experts in two layers.

    0 when one tells nothing of the other, at most log2 E. Few tokens raise it: compare with the
    same after ``shuffled`` choices of one layer.
    """
    cells = chosen_NLK[:, first, 0].astype(np.int64) * experts + chosen_NLK[:, second, 0]
    counted = np.bincount(cells, minlength=experts * experts).reshape(experts, experts)
    joint = counted / len(chosen_NLK)
    apart = joint.sum(1, keepdims=True) * joint.sum(0, keepdims=True)
    there = joint > 0
    return float((joint[there] * np.log2(joint[there] / apart[there])).sum())
