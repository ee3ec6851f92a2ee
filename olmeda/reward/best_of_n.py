"""Best of n (RewardBench 2): one right answer among several, credit shared between equals."""

from __future__ import annotations

from collections.abc import Sequence


def best_of_n(scores: Sequence[float], right: int = 0) -> float:
    """1 over the number of maxima if ``scores[right]`` is one of them, else 0 (0 if it is NaN)."""
    top = max((s for s in scores if s == s), default=float("nan"))
    if scores[right] != top:
        return 0.0
    return 1.0 / sum(score == top for score in scores)
