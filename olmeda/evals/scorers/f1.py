"""Precision, recall and F1 from counts."""

from __future__ import annotations

from typing import NamedTuple


class F1(NamedTuple):
    """Precision, recall, and their harmonic mean."""

    p: float
    r: float
    f1: float


class Counts(NamedTuple):
    """What F1 is made of, added up over the instances of a task (micro averaging)."""

    correct: int = 0
    preds: int = 0
    refs: int = 0

    def plus(self, correct: int, preds: int, refs: int) -> Counts:
        """These counts and one more instance."""
        return Counts(self.correct + correct, self.preds + preds, self.refs + refs)

    @property
    def f1(self) -> F1:
        return compute_f1(self.correct, self.preds, self.refs)


def compute_f1(correct: int, preds: int, refs: int) -> F1:
    """F1 of ``correct`` among ``preds`` and ``refs``; every zero denominator gives 0."""
    p, r = fraction(correct, preds), fraction(correct, refs)
    return F1(p, r, fraction(2 * p * r, p + r))


def item_f1(correct: int, preds: int, refs: int) -> float:
    """F1 of one item. Nothing predicted where nothing is to be found is right: 1."""
    return 1.0 if preds == refs == 0 else compute_f1(correct, preds, refs).f1


def fraction(part: float, whole: float) -> float:
    """``part / whole``, 0 where there is no whole."""
    return part / whole if whole else 0.0
