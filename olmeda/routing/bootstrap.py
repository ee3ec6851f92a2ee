"""Confidence intervals of ratios over whole documents, as tokens of one are alike.

By drawing documents again where counts are few, by linearisation where there are very many.

Shapes: ``D`` documents, ``R`` rounds, ``...`` any shape of figures.
"""

from __future__ import annotations

from statistics import NormalDist

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


class LinearisedRatio:
    """The interval of ``sum(above) / sum(below)`` from running sums, one document at a time.

    Taylor's variance of a ratio over clusters (Cochran 1977, section 6.3): no document's counts
    are kept, so any number of ratios fits. Document counts are ``above`` ``[...]`` and ``below``,
    of the same shape or one that broadcasts to it.
    """

    def __init__(self) -> None:
        self.documents = 0
        self._above: np.ndarray | float = 0.0
        self._below: np.ndarray | float = 0.0
        self._squares: list[np.ndarray | float] = [0.0, 0.0, 0.0]

    def add(self, above: np.ndarray, below: np.ndarray) -> None:
        """Count one document."""
        above, below = above.astype(np.float64), below.astype(np.float64)
        self.documents += 1
        self._above = self._above + above
        self._below = self._below + below
        for place, product in enumerate((above * above, above * below, below * below)):
            self._squares[place] = self._squares[place] + product

    def interval(self, level: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """``(ratio, low, high)``, within [0, 1]; where nothing was below, all are 0."""
        above, below = np.asarray(self._above), np.asarray(self._below)
        there = np.broadcast_to(below > 0, above.shape)
        safe = np.where(below > 0, below, 1.0)
        ratio = np.where(there, above / safe, 0.0)
        aa, ab, bb = self._squares
        spread = np.maximum(aa - 2 * ratio * ab + ratio * ratio * bb, 0.0)
        factor = self.documents / max(self.documents - 1, 1)
        half = NormalDist().inv_cdf((1 + level) / 2) * np.sqrt(factor * spread) / safe
        half = np.where(there, half, 0.0)
        return ratio, np.maximum(ratio - half, 0.0), np.minimum(ratio + half, 1.0)
