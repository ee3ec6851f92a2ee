"""The funnel: how much of each source every stage let through, and what each reason took."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import altair as alt
import polars as pl

from olmeda.artifacts.corpus import FunnelStage, read_funnel
from olmeda.web import charts
from olmeda.web.numerals import percent, short, whole
from olmeda.web.page import Cell, Fact, Figure, Origin, Panel, Row, Section, Table, table
from olmeda.web.provenance import origin

ROW = 26
"""Height in pixels of one bar with its gap."""


def funnel_section(text: Path) -> Section:
    """What happened to the documents of the mixed corpus ``text``, stage by stage."""
    stages, where = _by_source(read_funnel(text)), origin(text)
    first, last = _ends(stages)
    read, kept = (sum(n for n, _ in end.values()) for end in (first, last))
    characters = sum(c for _, c in first.values()), sum(c for _, c in last.values())
    lead = (
        f"Of {whole(read)} documents with {short(characters[0])} characters the mix keeps "
        f"{whole(kept)} with {short(characters[1])}. Everything that left has a reason; the "
        "ledger beside the corpus names the rule for each document and each cut span."
    )
    return Section(
        "funnel",
        "The funnel",
        lead,
        (_figure(stages, where), _stage_table(stages, where), reason_table(stages, where)),
        (Fact(short(characters[1]), f"characters kept of {short(characters[0])} read", where),),
    )


def _by_source(stages: Sequence[FunnelStage]) -> list[FunnelStage]:
    sources = list(dict.fromkeys(s.source for s in stages))
    return sorted(stages, key=lambda s: sources.index(s.source))


Amounts = dict[str, tuple[int, int]]
"""Documents and characters by source."""


def _ends(stages: Sequence[FunnelStage]) -> tuple[Amounts, Amounts]:
    """What came into the first stage and out of the last one, by source."""
    first: Amounts = {}
    last: Amounts = {}
    for s in stages:
        first.setdefault(s.source, (s.documents_in, s.characters_in))
        last[s.source] = (s.documents_out, s.characters_out)
    return first, last


def _figure(stages: Sequence[FunnelStage], where: Origin) -> Figure:
    sources = list(dict.fromkeys(s.source for s in stages))
    panels = tuple(_panel([s for s in stages if s.source == name]) for name in sources)
    caption = "Characters left after each stage, as a share of what was read from the source."
    return Figure(caption, panels, f"{caption} The table below holds the numbers.", (where,))


def _panel(stages: Sequence[FunnelStage]) -> Panel:
    whole_text = stages[0].characters_in
    amounts = [("read", whole_text), *((s.stage, s.characters_out) for s in stages)]
    rows = pl.DataFrame(
        [
            {"stage": charts.clipped(stage), "share": n / max(whole_text, 1),
             "label": f"{percent(n / max(whole_text, 1), 0)} · {short(n)}"}
            for stage, n in amounts
        ]
    )  # fmt: skip
    base = alt.Chart(rows).encode(
        y=alt.Y("stage:N", sort=None, title=None, axis=alt.Axis(ticks=False, domain=False)),
        x=alt.X("share:Q", axis=None, scale=alt.Scale(domain=[0, 1.55], nice=False)),
    )
    bars = base.mark_bar(color=charts.ACCENT, height=14)
    labels = base.mark_text(align="left", dx=5).encode(text="label:N")
    chart = alt.layer(bars, labels).properties(title=charts.clipped(stages[0].source, 40))
    return charts.half(chart, ROW * len(rows) + 36)


def _stage_table(stages: Sequence[FunnelStage], where: Origin) -> Table:
    rows: list[Row] = [
        [s.source, s.stage, whole(s.documents_in), whole(s.documents_out), whole(s.characters_in),
         whole(s.characters_out), percent(s.characters_out / max(s.characters_in, 1))]
        for s in stages
    ]  # fmt: skip
    heads = ["<Source", "<Stage", "Documents in", "out", "Characters in", "out", "kept"]
    return table("Documents and characters into and out of every stage.", heads, rows, [where])


def reason_table(stages: Sequence[FunnelStage], where: Origin) -> Table:
    """What each reason took of each source: documents dropped, spans cut, characters cut."""
    taken = [
        (reason, s.source, s.dropped.get(reason, 0), s.cut_spans.get(reason, 0),
         s.cut_characters.get(reason, 0))
        for s in stages
        for reason in dict.fromkeys([*s.dropped, *s.cut_spans])
    ]  # fmt: skip
    reasons = list(dict.fromkeys(reason for reason, *_ in taken))
    rows: list[Row] = [
        [Cell(reason, code=True), source, *(whole(n) if n else "–" for n in counts)]
        for reason, source, *counts in sorted(taken, key=lambda row: reasons.index(row[0]))
        if any(counts)
    ]
    heads = ["<<Reason", "<Source", "Documents dropped", "Spans cut", "Characters cut"]
    return table("What each reason took.", heads, rows, [where])
