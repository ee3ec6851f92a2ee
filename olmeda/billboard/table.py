"""The table behind a board: every metric and the quality of every system on every item.

Shapes: S systems, I items, K metrics.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from olmeda.artifacts.scores import COST, WHOLE
from olmeda.base.errors import ArtifactError, ConfigError, unknown


@dataclass(frozen=True)
class Table:
    """Aligned values: ``values_SIK`` is complete, ``quality_SI`` is NaN where nobody rated.

    ``raters[k]`` gave metric ``k``; ``quality_kind`` is ``human`` or ``checker``.
    """

    task: str
    systems: list[str]
    items: list[str]
    metrics: list[str]
    raters: list[str]
    values_SIK: np.ndarray
    quality: str
    quality_kind: str
    quality_raters: list[str]
    quality_SI: np.ndarray
    notes: list[str]

    def only(self, keep_S: np.ndarray) -> Table:
        """The same table with some of its systems (a boolean mask)."""
        systems = [s for s, keep in zip(self.systems, keep_S) if keep]
        return Table(
            self.task, systems, self.items, self.metrics, self.raters, self.values_SIK[keep_S],
            self.quality, self.quality_kind, self.quality_raters, self.quality_SI[keep_S],
            self.notes,
        )  # fmt: skip


def table_of(frame: pl.DataFrame, task: str, quality: str, where: str) -> Table:
    """Pivot score rows of one task into a Table.

    A metric is a scorer whose rater is a ``metric:`` or ``model:``; one whose name ends in
    ``_cost`` is negated, and one that has no value at all for some system (as a likelihood has none
    for people) is left out and noted. Quality comes from ``human:`` raters if there are any, else
    from ``checker:``, averaged over raters. Raises ArtifactError where a metric lacks some items
    of a system, ConfigError for an unknown task or quality scorer, or one that is a cost.
    """
    if task not in (tasks := frame["task"].unique(maintain_order=True).to_list()):
        raise ConfigError(f"{where}: {unknown('task', task, tasks)}")
    rows = frame.filter((pl.col("task") == task) & (pl.col("item") != WHOLE)).with_columns(
        kind=pl.col("rater").str.split(":").list.first()
    )
    measured = rows.filter(pl.col("kind").is_in(["metric", "model"]))
    if not len(measured):
        raise ArtifactError(
            f"{where}: no metric has scored {task}; run billboard.measure (or reward.score) "
            "and name its scores"
        )
    judged = _judged(rows, quality, f"{where}, {task}")
    systems = measured["system"].unique(maintain_order=True).to_list()
    items = measured["item"].unique().sort().to_list()
    columns, raters, notes = _columns(measured, systems, items, where)
    means = judged.group_by("system", "item", maintain_order=True).agg(pl.col("value").mean())
    return Table(
        task, systems, items, list(columns), raters, np.stack(list(columns.values()), axis=2),
        quality, str(judged["kind"][0]), judged["rater"].unique().sort().to_list(),
        _grid(means, systems, items), notes + _notes(rows, judged, systems, quality),
    )  # fmt: skip


def _columns(
    measured: pl.DataFrame, systems: Sequence[str], items: Sequence[str], where: str
) -> tuple[dict[str, np.ndarray], list[str], list[str]]:
    """The metrics [S, I] that judge every system, higher being better; their raters; notes."""
    columns: dict[str, np.ndarray] = {}
    raters, notes = [], []
    for label, rater, rows in _named_columns(measured):
        cost = str(rows["scorer"][0]).endswith(COST)
        values_SI = _grid(rows, systems, items) * (-1.0 if cost else 1.0)
        blank_S = np.all(~np.isfinite(values_SI), axis=1)
        if blank_S.any():
            without = ", ".join(s for s, blank in zip(systems, blank_S) if blank)
            notes.append(f"{label} is left out: it judges no text of {without}")
            continue
        _check_whole(label, values_SI, systems, items, where)
        columns[label] = values_SI
        raters.append(rater)
        if cost:
            notes.append(f"{label} is a cost and is counted negatively")
    if not columns:
        raise ArtifactError(
            f"{where}: no metric judges every one of {', '.join(systems)}; "
            "run billboard.measure over the outputs of all of them"
        )
    return columns, raters, notes


def _judged(rows: pl.DataFrame, quality: str, where: str) -> pl.DataFrame:
    """The quality rows of the better kind of rater."""
    if quality.endswith(COST):
        raise ConfigError(
            f"{where}: {quality!r} is a cost; quality must grow as a text gets better"
        )
    able = rows.filter(pl.col("kind").is_in(["human", "checker"]))
    found = able.filter(pl.col("scorer") == quality)
    if not len(found):
        if quality in rows["scorer"].unique().to_list():
            raise ConfigError(
                f"{where}: {quality!r} was given by a metric or a model; quality must come from a "
                "person or a checker"
            )
        known = able["scorer"].unique().sort().to_list()
        raise ConfigError(f"{where}: {unknown('quality scorer', quality, known)}")
    human = found.filter(pl.col("kind") == "human")
    return human if len(human) else found


def _named_columns(measured: pl.DataFrame) -> list[tuple[str, str, pl.DataFrame]]:
    """``(label, rater, rows)`` of each metric; the rater joins the label if scorers share one."""
    pairs = measured.select("scorer", "rater").unique().sort("scorer", "rater").rows()
    scorers = [scorer for scorer, _ in pairs]
    return [
        (
            scorer if scorers.count(scorer) == 1 else f"{scorer} ({rater.partition(':')[2]})",
            rater,
            measured.filter((pl.col("scorer") == scorer) & (pl.col("rater") == rater)),
        )
        for scorer, rater in pairs
    ]


def _grid(rows: pl.DataFrame, systems: Sequence[str], items: Sequence[str]) -> np.ndarray:
    """Values [S, I], NaN where there is no row."""
    place_S = {name: i for i, name in enumerate(systems)}
    place_I = {name: i for i, name in enumerate(items)}
    grid_SI = np.full((len(systems), len(items)), np.nan)
    for system, item, value in rows.select("system", "item", "value").iter_rows():
        if system in place_S and item in place_I:
            grid_SI[place_S[system], place_I[item]] = value
    return grid_SI


def _check_whole(
    label: str, values_SI: np.ndarray, systems: Sequence[str], items: Sequence[str], where: str
) -> None:
    missing = np.argwhere(~np.isfinite(values_SI))
    if len(missing):
        system, item = systems[missing[0][0]], items[missing[0][1]]
        raise ArtifactError(
            f"{where}: {label} has no value for {system!r} on {item!r} ({len(missing)} of "
            f"{values_SI.size} missing); a metric must score every item of a system"
        )


def _notes(
    rows: pl.DataFrame, judged: pl.DataFrame, systems: Sequence[str], quality: str
) -> list[str]:
    notes = []
    kind = str(judged["kind"][0])
    extra = [s for s in judged["system"].unique().sort().to_list() if s not in systems]
    if extra:
        notes.append(f"left out, as no metric scored them: {', '.join(extra)}")
    both = rows.filter((pl.col("scorer") == quality) & (pl.col("kind") == "checker"))
    if kind == "human" and len(both):
        notes.append(f"{quality} was also given by a checker; people's ratings are used")
    return notes
