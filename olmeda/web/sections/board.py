"""The board: generators and metrics ranked side by side, the ensemble, and overrating."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from olmeda.artifacts.lineage import check
from olmeda.base.files import read_json
from olmeda.billboard.board import Board, EnsembleRow, GeneratorRow, MetricRow, Standing
from olmeda.billboard.effects import Effect
from olmeda.billboard.overrating import Overrating
from olmeda.billboard.resample import Estimate
from olmeda.web.intervals import Mark, interval_panel
from olmeda.web.numerals import decimal, interval, probability, whole
from olmeda.web.page import Cell, Fact, Figure, Origin, Row, Section, Table, Text, table
from olmeda.web.provenance import origin

TOP = 5
"""Generators shown in the summary."""


def board_section(board: Path) -> Section:
    """Both rankings of the board made by billboard.rank."""
    check(board, "scores")
    found: Board = read_json(board / "board.json", Board)
    where = origin(board)
    blocks: list[Table | Figure | Text] = [
        _generator_figure(found, where),
        _generator_table(found, where),
        _metric_table(found.metrics, where),
        _ensemble_table(found.ensemble, where),
        *_overrating(found.overrating, where),
        *(Text(said[:1].upper() + said[1:], "note") for said in [*found.caveats, *found.notes]),
    ]
    return Section("board", "The board", _lead(found), tuple(blocks), _facts(found, where),
                   (_brief(found.generators, where),))  # fmt: skip


def _lead(found: Board) -> str:
    raters = ", ".join(found.quality_raters)
    judge = (
        "rated by people"
        if found.quality_kind == "human"
        else "given by a program that checks each answer, not by people"
    )
    return (
        f"{len(found.generators)} generators and {len(found.metrics)} metrics on "
        f"{whole(found.items)} items of {found.task}. Quality is the score {found.quality} "
        f"({raters}), {judge}. {found.human} is the text that people wrote."
    )


def _facts(found: Board, where: Origin) -> tuple[Fact, ...]:
    facts = []
    machines = [g for g in found.generators if not g.is_human]
    if machines:
        facts.append(Fact(machines[0].system, "first machine generator on the board", where))
    if found.metrics and found.metrics[0].agreement.instance.value is not None:
        first = found.metrics[0]
        label = f"correlation of the first metric, {first.metric}, with quality"
        facts.append(Fact(decimal(first.agreement.instance.value or 0.0, 2), label, where))
    return tuple(facts)


def _generator_figure(found: Board, where: Origin) -> Figure:
    by_quality = sorted(
        found.generators, key=lambda g: (g.quality.rank or len(found.generators) + 1, g.system)
    )
    panels = [
        interval_panel(title, marks, axis)
        for title, axis, marks in (
            ("by the ensemble metric", "predicted quality, mean",
             [_mark(g.system, g.ensemble.mean) for g in found.generators
              if g.ensemble.mean.value is not None]),
            (f"by {found.quality} ({found.quality_kind})", f"{found.quality}, mean",
             [_mark(g.system, g.quality.mean) for g in by_quality
              if g.quality.mean.value is not None]),
        )
        if marks
    ]  # fmt: skip
    caption = (
        "Generators ranked by the ensemble metric and by quality, best first, with 95 % intervals "
        "over items."
    )
    first = found.generators[0].system if found.generators else "none"
    return Figure(caption, tuple(panels), f"{caption} First: {first}.", (where,))


def _mark(label: str, found: Estimate, series: str = "") -> Mark:
    assert found.value is not None
    return Mark(label, found.value, found.low, found.high, series)


def _generator_table(found: Board, where: Origin) -> Table:
    rows: list[Row] = [
        [_place(g.ensemble), g.system, _estimate(g.ensemble.mean), _group(g.ensemble),
         _place(g.quality), _estimate(g.quality.mean),
         "–" if g.length_held is None else decimal(g.length_held),
         "–" if g.mean_length is None else decimal(g.mean_length, 1)]
        for g in found.generators
    ]  # fmt: skip
    heads = ["Rank", "<Generator", "Ensemble", "Tie group", "Rank by quality", "Quality",
             "At equal length", "Mean length"]  # fmt: skip
    caption = (
        "Generators. Those of one tie group are not told apart from the best of the group "
        "(paired bootstrap, Holm's correction); at equal length: the ensemble at the mean length."
    )
    strong = [i for i, g in enumerate(found.generators) if g.is_human]
    return table(caption, heads, rows, [where], strong)


def _metric_table(metrics: Sequence[MetricRow], where: Origin) -> Table:
    rows: list[Row] = [
        ["–" if m.rank is None else str(m.rank), _metric(m), _estimate(m.agreement.instance),
         _estimate(m.agreement.system), _value(m.agreement.kendall),
         decimal(m.weight, 3) if m.weight else "–",
         "–" if m.p_behind is None else probability(m.p_behind)]
        for m in metrics
    ]  # fmt: skip
    heads = ["Rank", "<Metric", "Correlation, items", "Correlation, systems", "Kendall, items",
             "Ensemble weight", "p, behind first"]  # fmt: skip
    caption = (
        "Metrics by their Pearson correlation with quality on machine text, with 95 % intervals "
        "over items. The ensemble's correlation is held out: each system is scored by an ensemble "
        "fitted without it."
    )
    strong = [i for i, m in enumerate(metrics) if m.metric == "ensemble"]
    return table(caption, heads, rows, [where], strong)


def _ensemble_table(found: EnsembleRow, where: Origin) -> Table:
    rows: list[Row]
    if found.reason:
        rows = [["not fitted", Cell(found.reason)]]
    else:
        terms = " + ".join(
            decimal(v, 4) if name == "intercept" else f"{decimal(v, 4)} · {name}"
            for name, v in found.formula.items()
        )
        rows = [
            ["formula in raw units", Cell(terms)],
            ["correlation on the rows it was fitted to", _estimate(found.in_sample)],
            ["held out by system", _estimate(found.by_system)],
            ["held out by item", _estimate(found.by_instance)],
            ["best single metric", Cell(found.best_single)],
        ]
    return table(
        "The ensemble of at most a few metrics (Lasso).", ["<Measure", "<<Value"], rows, [where]
    )


def _metric(row: MetricRow) -> Cell:
    """The name; a judge that is no automatic metric is marked as what it is."""
    kind = row.rater.partition(":")[0]
    return Cell(row.metric, "" if kind == "metric" else kind)


def _overrating(found: Sequence[Overrating], where: Origin) -> list[Table | Figure]:
    rows: list[Row] = [
        [o.metric, _effect(o.by_instance, o.reason), _effect(o.crossed), _effect(o.length_held)]
        for o in found
    ]
    heads = ["<Metric", "Per item", "Per item and system", "At equal length"]
    caption = (
        "How far each metric overrates machine text at equal quality, in standard deviations of "
        "the metric (mixed-effects model, 95 % intervals); above 0 favours machines."
    )
    shown = table(caption, heads, rows, [where])
    marks = [
        Mark(o.metric, e.value, e.low, e.high, series)
        for o in found
        for series, e in (("per item", o.by_instance), ("per item and system", o.crossed))
        if e is not None
    ]
    if not marks:
        return [shown]
    title, axis = "overrating of machine text", "standard deviations of the metric"
    drawn = Figure("Overrating by metric; right of the dashed line machines are favoured.",
                   (interval_panel(title, marks, axis, 0.0),), caption, (where,))  # fmt: skip
    return [drawn, shown]


def _brief(generators: Sequence[GeneratorRow], where: Origin) -> Table:
    rows: list[Row] = [
        [_place(g.ensemble).text, g.system, _estimate(g.ensemble.mean), _place(g.quality).text,
         _estimate(g.quality.mean)]
        for g in generators[:TOP]
    ]  # fmt: skip
    heads = ["rank", "<generator", "ensemble", "rank by quality", "quality"]
    return table(f"Board: first {len(rows)} of {len(generators)}", heads, rows, [where])


def _estimate(found: Estimate) -> Cell:
    if found.value is None:
        return Cell("–", found.reason)
    if found.low is None or found.high is None:
        return Cell(decimal(found.value))
    return Cell(decimal(found.value), interval(found.low, found.high))


def _effect(found: Effect | None, reason: str = "") -> Cell:
    if found is None:
        return Cell("–", reason)
    return Cell(decimal(found.value, 2), interval(found.low, found.high, 2))


def _value(found: Estimate) -> str:
    return "–" if found.value is None else decimal(found.value)


def _place(found: Standing) -> Cell:
    if found.rank is None:
        return Cell("–")
    same = found.rank_low == found.rank_high or found.rank_low is None
    return Cell(str(found.rank), "" if same else f"({found.rank_low}–{found.rank_high})")


def _group(found: Standing) -> str:
    return "–" if found.group is None else str(found.group)
