"""The benchmark's result: every scorer's accuracy by subset, section and over all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from olmeda.artifacts.estimate import Estimate, estimated
from olmeda.artifacts.examples import Trio
from olmeda.reward.intervals import sign_test, subset_draws, weighted
from olmeda.reward.sections import (
    Sections,
    by_items,
    overall_score,
    right,
    section_scores,
    subset_means,
)


class Cell(msgspec.Struct, frozen=True):
    """One accuracy: its interval, pairs scored equal, the sign test against guessing.

    ``over_baseline`` is the paired difference to the baseline scorer.
    """

    accuracy: Estimate
    equal: int
    p: float
    over_baseline: Estimate | None


class ScorerResult(msgspec.Struct, frozen=True):
    """All accuracies of one scorer, and how many answers were cut to the model's context."""

    name: str
    kind: str
    overall: Cell
    sections: dict[str, Cell]
    subsets: dict[str, Cell]
    truncated: int


class Bench(msgspec.Struct, frozen=True):
    """The whole result: which trios, the sections with their subsets and weights, the scorers."""

    split: str
    trios: int
    sections: dict[str, dict[str, float]]
    baseline: str | None
    scorers: list[ScorerResult]


class Judged(msgspec.Struct, frozen=True):
    """One scorer's values of all chosen and all rejected answers, in the order of the trios."""

    name: str
    kind: str
    chosen: np.ndarray
    rejected: np.ndarray
    truncated: int = 0


def tabulate(
    trios: Sequence[Trio],
    judged: Sequence[Judged],
    split: str,
    baseline: str | None,
    seed: int,
    sections: Sections | None = None,
) -> Bench:
    """Accuracies with intervals. ``sections``: published weights; by default items weigh alike."""
    subsets = [trio.subset for trio in trios]
    held = sections or by_items((t.section, t.subset) for t in trios)
    results_SI = np.stack([right(j.chosen, j.rejected) for j in judged]).astype(np.float64)
    draws = subset_draws(subsets, results_SI, seed)
    base = next((s for s, j in enumerate(judged) if j.name == baseline), None)
    scorers = []
    for s, one in enumerate(judged):
        part = _Part(subsets, held, one, results_SI, draws, s, base)
        scorers.append(
            ScorerResult(
                one.name,
                one.kind,
                part.cell(list(draws), part.overall),
                {name: part.cell(list(w), part.section(name)) for name, w in part.present.items()},
                {name: part.cell([name], part.subset(name)) for name in draws},
                one.truncated,
            )
        )
    shown = {name: dict(weights) for name, weights in held.items()}
    return Bench(split, len(trios), shown, baseline, scorers)


Values = tuple[np.ndarray, np.ndarray]
"""The value of every scorer ``[S]``, and its bootstrap draws ``[S, draws]``."""


class _Part:
    """The accuracies of scorer ``s`` beside the baseline's, cut as asked."""

    def __init__(
        self,
        subsets: Sequence[str],
        sections: Sections,
        judged: Judged,
        results_SI: np.ndarray,
        draws: Mapping[str, np.ndarray],
        s: int,
        baseline: int | None,
    ) -> None:
        self.subsets, self.judged, self.results_SI = subsets, judged, results_SI
        self.draws, self.s, self.baseline = draws, s, baseline
        self.means = [subset_means(subsets, results.tolist()) for results in results_SI]
        self.present = {
            name: {n: w for n, w in weights.items() if n in draws}
            for name, weights in sections.items()
        }
        self.present = {name: weights for name, weights in self.present.items() if weights}

    def subset(self, name: str) -> Values:
        """Accuracies on one subset."""
        return np.array([means[name] for means in self.means]), self.draws[name]

    def section(self, name: str) -> Values:
        """Accuracies on one section."""
        weights = self.present[name]
        scores = [section_scores(means, {name: weights})[name] for means in self.means]
        return np.array(scores), weighted(self.draws, weights)

    @property
    def overall(self) -> Values:
        """The mean of the sections."""
        scores = [overall_score(section_scores(means, self.present)) for means in self.means]
        draws = [weighted(self.draws, weights) for weights in self.present.values()]
        return np.array(scores), np.mean(draws, axis=0)

    def cell(self, subsets: Sequence[str], values: Values) -> Cell:
        """The cell of ``values``, whose pairs are those of ``subsets``."""
        value_S, draws_SB = values
        inside = np.isin(np.array(self.subsets), np.array(subsets))
        n = int(inside.sum())
        equal = self.judged.chosen[inside] == self.judged.rejected[inside]
        over = None
        if self.baseline is not None and self.baseline != self.s:
            difference = float(value_S[self.s] - value_S[self.baseline])
            over = estimated(difference, draws_SB[self.s] - draws_SB[self.baseline], n)
        return Cell(
            estimated(float(value_S[self.s]), draws_SB[self.s], n),
            int(equal.sum()),
            sign_test(int(self.results_SI[self.s, inside].sum()), n),
            over,
        )


def as_text(bench: Bench) -> str:
    """The accuracies for the terminal: a row a scorer, a column a subset, intervals for all."""
    columns = [name for weights in bench.sections.values() for name in weights]
    head = f"{'reward scorer':<16} {'overall (95 %)':<22} " + "  ".join(columns)
    lines = [head]
    for scorer in bench.scorers:
        over = scorer.overall.accuracy
        shown = f"{over.value:.3f} ({over.low:.3f}-{over.high:.3f})"
        cells = "  ".join(
            f"{scorer.subsets[name].accuracy.value:>{len(name)}.3f}" for name in columns
        )
        lines.append(f"{scorer.name:<16} {shown:<22} {cells}")
    return "\n".join(lines)
