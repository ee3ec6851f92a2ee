"""The longer answer wins: what a reward model must beat."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from olmeda.base.files import digest_bytes
from olmeda.reward.registries import Request, Scored, reward_scorer


@reward_scorer("length")
def length(requests: Sequence[Request], *, shorter: bool = False) -> Scored:
    """Count the answer's characters; a coin from the answer's digest settles equal lengths.

    The coin is a fraction below 1, fixed for an answer, so that the baseline is right on half of
    the pairs of equal length instead of none. ``shorter`` prefers shorter answers.
    """
    sign = -1.0 if shorter else 1.0
    return Scored(np.array([sign * len(r.answer) + coin(r.answer) for r in requests]))


def coin(answer: str) -> float:
    """A number in [0, 1) that depends on the answer alone."""
    digest = digest_bytes(answer.encode("utf-8", "surrogatepass"))
    return int(digest[:8], 16) / 2**32
