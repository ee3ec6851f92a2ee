"""The reward table: how often each scorer prefers the better answer, by subset and section."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from olmeda.artifacts.estimate import Estimate
from olmeda.artifacts.lineage import check
from olmeda.base.files import read_json
from olmeda.web.intervals import Mark, interval_panel
from olmeda.web.numerals import decimal, interval, percent, probability, whole
from olmeda.web.page import Cell, Fact, Figure, Origin, Row, Section, Table, table
from olmeda.web.provenance import origin

GUESSING = 0.5
SERIES = 7
"""Scorers that one drawing can tell apart; the table holds all of them."""


class Accuracy(msgspec.Struct, frozen=True):
    """One accuracy, pairs scored equal, the sign test against guessing, and over the baseline."""

    accuracy: Estimate
    equal: int
    p: float
    over_baseline: Estimate | None


class Scorer(msgspec.Struct, frozen=True):
    """All accuracies of one scorer, and how many answers were cut to the model's context."""

    name: str
    kind: str
    overall: Accuracy
    sections: dict[str, Accuracy]
    subsets: dict[str, Accuracy]
    truncated: int


class Bench(msgspec.Struct, frozen=True):
    """What ``bench.json`` of reward.bench holds; ``sections`` maps to subsets and weights."""

    split: str
    trios: int
    sections: dict[str, dict[str, float]]
    baseline: str | None
    scorers: list[Scorer]


Part = tuple[str, str, dict[str, Accuracy]]
"""``section`` and ``subset`` (one of them may be empty), and the accuracy of each scorer."""


def reward_section(reward: Path) -> Section:
    """Accuracies of every scorer with intervals, counts and the length baseline."""
    check(reward, "scores")
    found: Bench = read_json(reward / "bench.json", Bench)
    where, parts = origin(reward), list(_parts(found))
    lead = (
        f"{whole(found.trios)} pairs of a better and a worse answer from the {found.split} split, "
        "made so that the corpus itself says which is which. A scorer is right where it gives the "
        "better answer strictly more; guessing gets one half."
    )
    if found.baseline is not None:
        lead += f" The baseline {found.baseline} reads nothing but the length."
    blocks = (_figure(found, parts, where), _accuracies(found, parts, where),
              _against(found, where))  # fmt: skip
    return Section("reward", "Reward models", lead, blocks, _facts(found, where),
                   (_brief(found, parts, where),))  # fmt: skip


def _parts(found: Bench) -> Iterator[Part]:
    """Overall, then each section with its subsets below it."""
    yield "all", "", {s.name: s.overall for s in found.scorers}
    for section, subsets in found.sections.items():
        held = {s.name: s.sections[section] for s in found.scorers if section in s.sections}
        if held and list(subsets) != [section]:
            yield section, "", held
        for subset in subsets:
            inner = {s.name: s.subsets[subset] for s in found.scorers if subset in s.subsets}
            if inner:
                yield section, subset, inner


def _label(section: str, subset: str) -> str:
    return subset or section


def _figure(found: Bench, parts: Sequence[Part], where: Origin) -> Figure:
    shown = [s.name for s in found.scorers][:SERIES]
    panels = tuple(
        interval_panel(title, _marks(some, shown), "share of pairs preferred rightly", GUESSING)
        for title, some in (
            ("all and by section", [p for p in parts if not p[1]]),
            ("by subset", [p for p in parts if p[1]]),
        )
        if some
    )
    caption = (
        "Accuracy of the reward scorers with 95 % intervals over pairs; the dashed line is "
        "guessing."
    )
    said = "; ".join(f"{s.name} {s.overall.accuracy.value:.2f} over all" for s in found.scorers)
    return Figure(caption, panels, f"{caption} {said}.", (where,))


def _marks(parts: Sequence[Part], shown: Sequence[str]) -> list[Mark]:
    marks = []
    for section, subset, held in parts:
        for name in shown:
            if name in held:
                a = held[name].accuracy
                marks.append(Mark(_label(section, subset), a.value, a.low, a.high, name))
    return marks


def _accuracies(found: Bench, parts: Sequence[Part], where: Origin) -> Table:
    names = [s.name for s in found.scorers]
    rows: list[Row] = [
        [section, subset, whole(max(a.accuracy.n for a in held.values())),
         *(_cell(held, name) for name in names)]
        for section, subset, held in parts
    ]  # fmt: skip
    strong = [i for i, (_, subset, _) in enumerate(parts) if not subset]
    caption = (
        "Share of pairs in which each scorer prefers the better answer, with 95 % intervals over "
        "pairs."
    )
    return table(caption, ["<Section", "<Subset", "Pairs", *names], rows, [where], strong)


def _against(found: Bench, where: Origin) -> Table:
    rows: list[Row] = [
        [s.name, s.kind, _estimate(s.overall.over_baseline), probability(s.overall.p),
         whole(s.overall.equal), whole(s.truncated)]
        for s in found.scorers
    ]  # fmt: skip
    heads = ["<Scorer", "<Kind", "Over the baseline", "p against guessing", "Scored equal",
             "Answers cut"]  # fmt: skip
    caption = (
        "Each scorer over all pairs: its difference to the length baseline (paired), the sign test "
        "against guessing, pairs it scored equal (counted as wrong), and answers longer than its "
        "context."
    )
    return table(caption, heads, rows, [where])


def _facts(found: Bench, where: Origin) -> tuple[Fact, ...]:
    others = [s for s in found.scorers if s.name != found.baseline]
    if not others:
        return ()
    best = max(others, key=lambda s: s.overall.accuracy.value)
    label = f"of pairs preferred rightly by {best.name}"
    base = next((s for s in found.scorers if s.name == found.baseline), None)
    if base is not None:
        label += f"; {percent(base.overall.accuracy.value)} by {base.name}"
    return (Fact(percent(best.overall.accuracy.value), label, where),)


def _brief(found: Bench, parts: Sequence[Part], where: Origin) -> Table:
    rows: list[Row] = [
        [_label(section, subset), whole(max(a.accuracy.n for a in held.values())),
         *(_cell(held, s.name, 2) for s in found.scorers)]
        for section, subset, held in parts
    ]  # fmt: skip
    heads = ["<part", "pairs", *(s.name for s in found.scorers)]
    return table("Reward", heads, rows, [where])


def _cell(held: Mapping[str, Accuracy], name: str, places: int = 3) -> Cell:
    return _estimate(held[name].accuracy, places) if name in held else Cell("–")


def _estimate(found: Estimate | None, places: int = 3) -> Cell:
    if found is None:
        return Cell("–")
    return Cell(decimal(found.value, places), interval(found.low, found.high, places))
