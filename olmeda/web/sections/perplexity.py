"""Bits per byte of held-out text by source, with intervals over documents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from olmeda.artifacts.scores import WHOLE, Scores
from olmeda.artifacts.tokenset import TokenSet
from olmeda.base.errors import ArtifactError
from olmeda.billboard.resample import Estimate, Resamples, estimate
from olmeda.web.numerals import decimal, interval, whole
from olmeda.web.page import Cell, Fact, Origin, Row, Table, table
from olmeda.web.provenance import origin

SCORER = "bits_per_byte_cost"
PREFIX = "heldout/"
DRAWS = 1000
SEED = 0
"""Of the draws; the interval of a finished run must not change from page to page."""


@dataclass(frozen=True)
class SourceBits:
    """One source: bits per byte of every system [S], and of its difference to the first one."""

    source: str
    documents: int
    systems: list[Estimate]
    differences: list[Estimate]


def read_bits(perplexity: Path, heldout_tokens: Path | None) -> tuple[list[str], list[SourceBits]]:
    """Systems in order of name, and each source; intervals where the documents' sizes are known.

    Raises ArtifactError for scores that hold no bits per byte.
    """
    rows = Scores.open(perplexity).frame.filter(
        (pl.col("scorer") == SCORER) & pl.col("task").str.starts_with(PREFIX)
    )
    if rows.is_empty():
        raise ArtifactError(f"{perplexity}: holds no {SCORER}; give scores of evals.perplexity")
    sizes = None
    if heldout_tokens is not None:
        sizes = TokenSet.open(heldout_tokens).documents.select("source", "id", "bytes")
    systems = rows["system"].unique().sort().to_list()
    tasks = rows["task"].unique(maintain_order=True).to_list()
    return systems, [_source(rows, task, systems, sizes) for task in tasks]


def _source(
    rows: pl.DataFrame, task: str, systems: Sequence[str], sizes: pl.DataFrame | None
) -> SourceBits:
    source, held = task.removeprefix(PREFIX), rows.filter(pl.col("task") == task)
    over_all = dict(held.filter(pl.col("item") == WHOLE).select("system", "value").rows())
    documents = held.filter(pl.col("item") != WHOLE)
    count = documents["item"].n_unique()
    if sizes is None or not count:
        plain = [Estimate(over_all.get(s), n=count) for s in systems]
        return SourceBits(source, count, plain, [])
    wide = documents.pivot("system", index="item", values="value", sort_columns=True).sort("item")
    named = sizes.filter(pl.col("source") == source).rename({"id": "item"})
    wide = wide.join(named.unique("item"), on="item", how="inner", maintain_order="left")
    return SourceBits(source, count, *_estimates(
        wide.select(systems).to_numpy(), wide["bytes"].to_numpy().astype(np.float64)
    ))  # fmt: skip


def _estimates(bits_DS: np.ndarray, bytes_D: np.ndarray) -> tuple[list[Estimate], list[Estimate]]:
    """Bits per byte of each system and its difference to the first, documents resampled."""
    count = len(bytes_D)
    sums_DM = np.column_stack([bits_DS * bytes_D[:, None], bytes_D])
    drawn_BM = Resamples.draw("documents", count, DRAWS, np.random.default_rng(SEED)).sums(sums_DM)
    drawn_BS = drawn_BM[:, :-1] / drawn_BM[:, -1:]
    value_S = sums_DM[:, :-1].sum(axis=0) / bytes_D.sum()
    alone = [
        estimate(float(v), drawn_BS[:, s], "documents", count, "") for s, v in enumerate(value_S)
    ]
    against = [
        estimate(float(value_S[s] - value_S[0]), drawn_BS[:, s] - drawn_BS[:, 0],
                 "documents", count, "")
        for s in range(1, len(value_S))
    ]  # fmt: skip
    return alone, against


def bits_table(systems: Sequence[str], found: Sequence[SourceBits], where: Origin) -> Table:
    """Bits per byte by source and system, and the differences to the first system."""
    with_difference = all(s.differences for s in found)
    rows: list[Row] = [
        [s.source, whole(s.documents), *map(_cell, s.systems),
         *(map(_cell, s.differences) if with_difference else [])]
        for s in found
    ]  # fmt: skip
    heads = ["<Held-out text of", "Documents", *systems]
    if with_difference:
        heads += [f"{name} − {systems[0]}" for name in systems[1:]]
    caption = (
        "Bits per byte of held-out text, every byte counting alike, with 95 % intervals over "
        "documents; differences are paired. Lower is better."
    )
    return table(caption, heads, rows, [where])


def bits_brief(systems: Sequence[str], found: Sequence[SourceBits], where: Origin) -> Table:
    """The same for the summary."""
    rows: list[Row] = [[s.source, *map(_cell, s.systems)] for s in found]
    return table("Bits per byte, held out", ["<source", *systems], rows, [where])


def bits_facts(systems: Sequence[str], found: Sequence[SourceBits], path: Path) -> list[Fact]:
    """Bits per byte over all sources, by system."""
    frame = Scores.open(path).frame.filter(
        (pl.col("task") == "heldout") & (pl.col("item") == WHOLE) & (pl.col("scorer") == SCORER)
    )
    over_all = dict(frame.select("system", "value").rows())
    where = origin(path)
    return [
        Fact(decimal(over_all[name]), f"bits per byte of held-out text, {name}", where)
        for name in systems
        if name in over_all and found
    ]


def _cell(found: Estimate) -> Cell:
    if found.value is None:
        return Cell("–")
    if found.low is None or found.high is None:
        return Cell(decimal(found.value))
    return Cell(decimal(found.value), interval(found.low, found.high))
