"""Cells of the score table as arrays: one value for each system and item of a task."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from olmeda.artifacts.lineage import Lineage
from olmeda.artifacts.scores import WHOLE
from olmeda.base.errors import InputError, unknown


def item_values(frame: pl.DataFrame, task: str, scorer: str, systems: Sequence[str]) -> np.ndarray:
    """The values of ``systems`` on the items of a task, ``[S, I]``, items in sorted order.

    Raises InputError for an unknown task, scorer or system and for a system that lacks items.
    """
    rows = frame.filter((pl.col("task") == task) & (pl.col("item") != WHOLE))
    _require(rows, "task", task, frame["task"])
    rows_of = rows.filter(pl.col("scorer") == scorer)
    _require(rows_of, f"scorer of {task}", scorer, rows["scorer"])
    if rows_of["rater"].n_unique() > 1:
        raise InputError(
            f"{task}, {scorer}: values by {', '.join(rows_of['rater'].unique().sort())}; "
            "give scores where one rater used this scorer"
        )
    for system in systems:
        _require(rows_of.filter(pl.col("system") == system), f"system with {task}", system,
                 rows_of["system"])  # fmt: skip
    wide = rows_of.pivot("system", index="item", values="value").sort("item").select(systems)
    for system in systems:
        if lacking := wide[system].null_count():
            raise InputError(
                f"{task}, {scorer}: {system} has no value for {lacking} of {len(wide)} items; "
                "compare systems that answered the same items"
            )
    return wide.to_numpy().T


def _require(rows: pl.DataFrame, kind: str, word: str, known: pl.Series) -> None:
    if rows.is_empty():
        raise InputError(f"the scores have {unknown(kind, word, known.unique().sort())}")


def system_names(scores: Sequence[Path]) -> dict[str, str]:
    """Checkpoint digest -> the name under which the scores' maker listed that checkpoint.

    Read from lineage: an input with the key ``systems.<name>`` is the checkpoint of that system.
    """
    found: dict[str, str] = {}
    for path in scores:
        for item in Lineage.open(path).inputs:
            head, _, name = item.key.partition(".")
            if head == "systems":
                found.setdefault(item.digest, name)
    return found
