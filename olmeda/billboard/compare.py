"""Who is really better: paired bootstrap tests, Holm's correction, and groups of ties."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def paired_p(differences_B: np.ndarray) -> float:
    """Two-sided p of "no difference" from resampled paired differences [B].

    Twice the smaller share of resamples on either side of zero, each side counting zeros and one
    resample more, so p is never below 2 / (B + 1). Resamples without a value are left out.
    """
    good = differences_B[np.isfinite(differences_B)]
    beyond = min(int((good <= 0).sum()), int((good >= 0).sum()))
    return min(1.0, 2 * (1 + beyond) / (1 + len(good)))


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down correction (Holm 1979): adjusted p values in the given order."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for step, index in enumerate(order):
        largest = max(largest, min(1.0, (len(order) - step) * p_values[index]))
        adjusted[index] = largest
    return adjusted


def pairwise_p(means_BS: np.ndarray) -> np.ndarray:
    """Holm-corrected p [S, S] for each pair of systems, from paired resampled means [B, S]."""
    count = means_BS.shape[1]
    pairs = [(i, j) for i in range(count) for j in range(i + 1, count)]
    raw = [paired_p(means_BS[:, i] - means_BS[:, j]) for i, j in pairs]
    p_SS = np.ones((count, count))
    for (i, j), p in zip(pairs, holm(raw)):
        p_SS[i, j] = p_SS[j, i] = p
    return p_SS


def tie_groups(order: Sequence[int], p_SS: np.ndarray, alpha: float = 0.05) -> list[int]:
    """The tie group of each place of a ranking, from 1.

    ``order``: system indices, best first. A group holds its first system and those after it whose
    difference to that first system is not significant; the next one opens a new group. Being tied
    is not transitive, so the group says: not told apart from the best of the group.
    """
    groups: list[int] = []
    head = order[0] if order else 0
    for place, system in enumerate(order):
        if place == 0:
            groups.append(1)
        elif p_SS[head, system] < alpha:
            head = system
            groups.append(groups[-1] + 1)
        else:
            groups.append(groups[-1])
    return groups


def fewest_resamples(systems: int, alpha: float = 0.05) -> int:
    """The number of resamples below which Holm's correction can find no pair different."""
    pairs = systems * (systems - 1) // 2
    return int(2 * pairs / alpha)
