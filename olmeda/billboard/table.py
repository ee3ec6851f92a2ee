"""The table behind a board: every metric and the quality of every system on every item.

Shapes: S systems, I items, K metrics.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from olmeda.artifacts.scores import WHOLE
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

    A metric is a scorer whose rater is a ``metric:`` or ``model:``; quality comes from ``human:``
    raters if there are any, else from ``checker:``, averaged over raters. Raises ArtifactError
    where a metric lacks values, ConfigError for an unknown task or quality scorer.
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
    named = _named_columns(measured)
    columns = {label: _grid(part, systems, items) for label, _, part in named}
    _check_whole(columns, systems, items, where)
    kind = str(judged["kind"][0])
    means = judged.group_by("system", "item", maintain_order=True).agg(pl.col("value").mean())
    return Table(
        task, systems, items, list(columns), [rater for _, rater, _ in named],
        np.stack(list(columns.values()), axis=2), quality, kind,
        judged["rater"].unique().sort().to_list(), _grid(means, systems, items),
        _notes(rows, judged, systems, quality, kind),
    )  # fmt: skip


def _judged(rows: pl.DataFrame, quality: str, where: str) -> pl.DataFrame:
    """The quality rows of the better kind of rater."""
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
    columns: dict[str, np.ndarray], systems: Sequence[str], items: Sequence[str], where: str
) -> None:
    for label, grid_SI in columns.items():
        missing = np.argwhere(~np.isfinite(grid_SI))
        if len(missing):
            system, item = systems[missing[0][0]], items[missing[0][1]]
            raise ArtifactError(
                f"{where}: {label} has no value for {system!r} on {item!r} ({len(missing)} of "
                f"{grid_SI.size} missing); every metric must score every system on every item"
            )


def _notes(
    rows: pl.DataFrame, judged: pl.DataFrame, systems: Sequence[str], quality: str, kind: str
) -> list[str]:
    notes = []
    extra = [s for s in judged["system"].unique().sort().to_list() if s not in systems]
    if extra:
        notes.append(f"left out, as no metric scored them: {', '.join(extra)}")
    both = rows.filter((pl.col("scorer") == quality) & (pl.col("kind") == "checker"))
    if kind == "human" and len(both):
        notes.append(f"{quality} was also given by a checker; people's ratings are used")
    return notes
