"""Instances that repeat a few tokens over and over, which make losses spike, are not learned from.

The rule of OLMo 2 ("2 OLMo 2 Furious", 2024, section on training stability): an instance is masked
if a sequence of 1 to 13 tokens follows itself in it until it stands there 32 times or more.

Shapes: ``B`` instances, ``T`` tokens of each.
"""

from __future__ import annotations

import numpy as np
from pydantic import Field

from olmeda.base.config import Config


class RepeatRule(Config, frozen=True):
    """When an instance is masked: one of its n-grams, n from 1 to ``longest``, comes too often.

    ``times``: so often in a row, one right after the other, is too often.
    """

    longest: int = Field(13, ge=1)
    times: int = Field(32, ge=2)

    def breaks(self, labels_BT: np.ndarray) -> np.ndarray:
        """Which instances do, bool ``[B]``. No n-gram reaches over a label that is not counted."""
        found_B = np.zeros(len(labels_BT), bool)
        for n in range(1, self.longest + 1):
            run = (self.times - 1) * n  # so many tokens in a row are equal to those n before
            if run + n > labels_BT.shape[1]:
                break
            # a run of that length crosses one of these columns: look there before everywhere
            columns = np.arange(n + run - 1, labels_BT.shape[1], run)
            suspect_B = (labels_BT[:, columns] == labels_BT[:, columns - n]).any(1)
            for row in np.flatnonzero(suspect_B & ~found_B).tolist():
                label_T = labels_BT[row]
                equal_T = (label_T[n:] == label_T[:-n]) & (label_T[n:] >= 0)
                found_B[row] = longest_run(equal_T) >= run
        return found_B


def longest_run(true_N: np.ndarray) -> int:
    """The length of the longest stretch of true values."""
    ends = np.flatnonzero(np.diff(np.concatenate([[False], true_N, [False]]).astype(np.int8)))
    return int((ends[1::2] - ends[::2]).max(initial=0))
