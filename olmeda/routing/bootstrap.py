"""Confidence intervals of ratios by drawing whole documents again, as tokens of one are alike.

Shapes: ``D`` documents, ``R`` rounds, ``...`` any shape of figures.
"""

from __future__ import annotations

import numpy as np


def ratio_interval(
    above_D: np.ndarray, below_D: np.ndarray, rounds: int, level: float, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """``(low, high)`` of ``above.sum(0) / below.sum(0)``, each of the shape of one ``above`` row.

    ``above_D`` is ``[D, ...]``, ``below_D`` ``[D]``; documents are drawn with replacement and the
    percentiles of ``rounds`` draws taken. A draw whose documents are all empty counts as 0.
    """
    documents = len(below_D)
    assert documents == len(above_D) > 0
    generator = np.random.default_rng(seed)
    drawn_RD = generator.multinomial(documents, np.full(documents, 1 / documents), size=rounds)
    above_RX = drawn_RD @ above_D.reshape(documents, -1)
    below_R1 = (drawn_RD @ below_D)[:, None]
    ratios = np.divide(above_RX, below_R1, where=below_R1 > 0, out=np.zeros(above_RX.shape))
    low, high = np.quantile(ratios, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return low.reshape(above_D.shape[1:]), high.reshape(above_D.shape[1:])
