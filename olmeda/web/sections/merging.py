"""Merging: adding a skill by a weighted vector, against continued and repeated training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from olmeda.artifacts.estimate import Estimate
from olmeda.artifacts.lineage import check
from olmeda.base.files import read_json
from olmeda.web.numerals import decimal, interval, short
from olmeda.web.page import Cell, Fact, Figure, Origin, Row, Section, Table, Text, table
from olmeda.web.provenance import origin
from olmeda.web.sections.tradeoff import Point, tradeoff_panel

PLACES = 3


class Choice(msgspec.Struct, frozen=True):
    """A weight, and what the best weight would have added to its objective."""

    system: str
    weight: float
    objective: float
    regret: Estimate


class Difference(msgspec.Struct, frozen=True):
    """The chosen merge minus another way, paired by item."""

    against: str
    kind: str
    general: Estimate
    skill: Estimate
    cost_tokens: float | None


class Outcome(msgspec.Struct, frozen=True):
    """All about one skill."""

    points: list[Point]
    chosen: Choice
    heuristic: Choice | None
    differences: list[Difference]


class Comparison(msgspec.Struct, frozen=True):
    """What ``compare.json`` of merge.compare holds."""

    general_families: list[str]
    skill_share: float
    choose_on: str
    report_on: str
    skills: dict[str, Outcome]


def merging_section(merging: Path) -> Section:
    """Every way to add each skill: scores, training cost, and the weight that was chosen."""
    check(merging, "scores")
    found: Comparison = read_json(merging / "compare.json", Comparison)
    where = origin(merging)
    blocks: list[Figure | Table | Text] = [_figure(found, where)]
    for skill, outcome in found.skills.items():
        blocks += [Text(_choice(skill, outcome)), _ways(skill, outcome.points, where),
                   _differences(skill, outcome, where)]  # fmt: skip
    return Section("merging", "Merging skills", _lead(found), tuple(blocks),
                   _facts(found.skills, where), _briefs(found.skills, where))  # fmt: skip


def _lead(found: Comparison) -> str:
    general = ", ".join(found.general_families)
    return (
        "A skill model is trained alone from the base; its difference to the base is added to the "
        f"general model with a weight. The weight is chosen on the {found.choose_on} split "
        f"(skill score counted {found.skill_share:g}, general score {1 - found.skill_share:g}) and "
        f"everything shown is measured on the {found.report_on} split. The general score is the "
        f"mean of {general}."
    )


def _choice(skill: str, outcome: Outcome) -> str:
    said = (
        f"For the skill {skill} the weight {outcome.chosen.weight:g} was chosen; the best weight "
        f"in hindsight would have added {_with_interval(outcome.chosen.regret)} to the objective."
    )
    if outcome.heuristic is None:
        return said
    return f"{said} The amounts of data alone would have said {outcome.heuristic.weight:g}."


def _figure(found: Comparison, where: Origin) -> Figure:
    panels = tuple(tradeoff_panel(skill, o.points) for skill, o in found.skills.items())
    caption = (
        "What adding a skill costs in general ability: every swept weight (joined in order, ends "
        "and choice labelled), and the other ways; up and to the right is better. Crosses are "
        "95 % bootstrap intervals over items."
    )
    chosen = "; ".join(f"{s}: weight {o.chosen.weight:g} chosen" for s, o in found.skills.items())
    return Figure(caption, panels, f"{caption} {chosen}.", (where,))


def _ways(skill: str, points: Sequence[Point], where: Origin) -> Table:
    rows: list[Row] = [
        [p.kind, p.system, "" if p.weight is None else f"{p.weight:g}", _cell(p.general),
         _cell(p.skill), _tokens(p.cost_tokens), _remarks(p)]
        for p in points
    ]  # fmt: skip
    heads = ["<Way", "<Model", "Weight", "General", skill, "Tokens trained", "<<"]
    caption = (
        f"Ways to add the skill {skill}: mean scores with 95 % intervals, and the tokens that were "
        "trained to add it (one skill model serves every weight)."
    )
    strong = [i for i, p in enumerate(points) if p.chosen]
    return table(caption, heads, rows, [where], strong)


def _differences(skill: str, outcome: Outcome, where: Origin) -> Table:
    rows: list[Row] = [
        [d.kind, d.against, _cell(d.general), _cell(d.skill)] for d in outcome.differences
    ]
    heads = ["<Against", "<Model", "General", skill]
    caption = (
        f"The merge chosen for {skill} (weight {outcome.chosen.weight:g}) minus each other way, "
        "paired by item, with 95 % intervals."
    )
    return table(caption, heads, rows, [where])


def _facts(skills: Mapping[str, Outcome], where: Origin) -> tuple[Fact, ...]:
    facts = []
    for skill, outcome in skills.items():
        chosen = next(p for p in outcome.points if p.chosen)
        value = f"{decimal(chosen.general.value, 2)} · {decimal(chosen.skill.value, 2)}"
        label = f"general score · {skill} score of the merge at weight {outcome.chosen.weight:g}"
        facts.append(Fact(value, label, where))
    return tuple(facts)


def _briefs(skills: Mapping[str, Outcome], where: Origin) -> tuple[Table, ...]:
    tables = []
    for skill, outcome in skills.items():
        shown = [p for p in outcome.points if p.kind != "merged" or p.chosen]
        rows: list[Row] = [
            [p.kind + (f" {p.weight:g}" if p.weight is not None else ""), p.system,
             _cell(p.general), _cell(p.skill), _tokens(p.cost_tokens)]
            for p in shown
        ]  # fmt: skip
        heads = ["<way", "<model", "general", skill, "tokens trained"]
        tables.append(table(f"Merging: {skill}", heads, rows, [where]))
    return tuple(tables)


def _cell(found: Estimate) -> Cell:
    return Cell(decimal(found.value, PLACES), interval(found.low, found.high, PLACES))


def _with_interval(found: Estimate) -> str:
    return f"{decimal(found.value, PLACES)} {interval(found.low, found.high, PLACES)}"


def _tokens(count: float | None) -> str:
    return "unknown" if count is None else short(count)


def _remarks(p: Point) -> str:
    said = {"chosen": p.chosen, "best in hindsight": p.best, "by amount of data": p.heuristic}
    return ", ".join(name for name, holds in said.items() if holds)
