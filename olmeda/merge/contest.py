"""The contest of ways to add one skill: scores of every model, the chosen weight, its regret."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec
import numpy as np

from olmeda.artifacts.estimate import Estimate, estimated
from olmeda.merge.tradeoff import Measured, best, measure, nearest_weight, objective

Kind = Literal["base", "general", "alone", "continued", "retrained", "merged"]


class Way(msgspec.Struct, frozen=True):
    """One model in the contest: how it came about and the tokens trained to add the skill.

    ``weight`` is set for merged models; ``cost_tokens`` is None where the lineage does not say.
    """

    kind: Kind
    system: str
    cost_tokens: float | None
    weight: float | None = None


class Point(msgspec.Struct, frozen=True):
    """A way with its scores on the reported split, and its means on the split of the choice."""

    kind: Kind
    system: str
    weight: float | None
    cost_tokens: float | None
    general: Estimate
    skill: Estimate
    choose_general: float
    choose_skill: float
    chosen: bool
    best: bool
    heuristic: bool


class Choice(msgspec.Struct, frozen=True):
    """A weight, the objective it reaches on the reported split, and what the best would add."""

    system: str
    weight: float
    objective: float
    regret: Estimate


class Difference(msgspec.Struct, frozen=True):
    """The chosen merge minus another way, on the reported split, paired by item."""

    against: str
    kind: Kind
    general: Estimate
    skill: Estimate
    cost_tokens: float | None


class Outcome(msgspec.Struct, frozen=True):
    """All about one skill. ``wanted_weight`` is that of the data-amount heuristic."""

    points: list[Point]
    chosen: Choice
    heuristic: Choice | None
    wanted_weight: float | None
    differences: list[Difference]


@dataclass(frozen=True)
class Contest:
    """What is compared: ways, and for each split and score the ``[S, I]`` values by family.

    The systems of every array are the ways, in their order.
    """

    ways: Sequence[Way]
    choose_general: Sequence[np.ndarray]
    choose_skill: Sequence[np.ndarray]
    report_general: Sequence[np.ndarray]
    report_skill: Sequence[np.ndarray]
    skill_share: float
    data_weight: float | None
    seed: int


def judge(contest: Contest) -> Outcome:
    """Choose the weight on one split, report on the other, with the regret of each choice."""
    general, skill = (
        measure(contest.report_general, contest.seed),
        measure(contest.report_skill, contest.seed + 1),
    )
    choose_general = np.mean([f.mean(axis=1) for f in contest.choose_general], axis=0)
    choose_skill = np.mean([f.mean(axis=1) for f in contest.choose_skill], axis=0)
    aim = objective(choose_general, choose_skill, contest.skill_share)
    reached = Measured(
        objective(general.value_S, skill.value_S, contest.skill_share),
        objective(general.draws_SB, skill.draws_SB, contest.skill_share),
        general.n + skill.n,
    )
    swept = {i: w.weight for i, w in enumerate(contest.ways) if w.weight is not None}
    weights = [w.weight or 0.0 for w in contest.ways]
    chosen = best(aim, weights, list(swept))
    top = best(reached.value_S, weights, list(swept))
    by_data = None if contest.data_weight is None else nearest_weight(contest.data_weight, swept)
    points = [
        Point(
            way.kind, way.system, way.weight, way.cost_tokens,
            general.estimate(i), skill.estimate(i),
            float(choose_general[i]), float(choose_skill[i]),
            i == chosen, i == top, i == by_data,
        )
        for i, way in enumerate(contest.ways)
    ]  # fmt: skip
    return Outcome(
        points,
        _choice(contest.ways[chosen], chosen, top, reached),
        None if by_data is None else _choice(contest.ways[by_data], by_data, top, reached),
        contest.data_weight,
        _differences(contest.ways, chosen, general, skill),
    )


def _choice(way: Way, system: int, top: int, reached: Measured) -> Choice:
    assert way.weight is not None
    lost = reached.draws_SB[top] - reached.draws_SB[system]
    regret = estimated(float(reached.value_S[top] - reached.value_S[system]), lost, reached.n)
    return Choice(way.system, way.weight, float(reached.value_S[system]), regret)


def _differences(
    ways: Sequence[Way], chosen: int, general: Measured, skill: Measured
) -> list[Difference]:
    return [
        Difference(
            way.system,
            way.kind,
            general.difference(chosen, i),
            skill.difference(chosen, i),
            way.cost_tokens,
        )
        for i, way in enumerate(ways)
        if way.kind not in ("merged", "base")
    ]


def as_text(name: str, outcome: Outcome) -> str:
    """A table of one skill for the terminal: every way, the chosen merge among the merged."""
    lines = [f"Skill {name}: {'way':<11} {'weight':>6} {'general':>8} {'skill':>8} {'tokens':>11}"]
    margin = " " * len(f"Skill {name}: ")
    for p in outcome.points:
        if p.kind == "merged" and not p.chosen:
            continue
        weight = "" if p.weight is None else f"{p.weight:.2f}"
        cost = "unknown" if p.cost_tokens is None else f"{p.cost_tokens:,.0f}"
        scores = f"{p.general.value:8.3f} {p.skill.value:8.3f}"
        lines.append(f"{margin}{p.kind:<11} {weight:>6} {scores} {cost:>11}")
    return "\n".join(lines)
