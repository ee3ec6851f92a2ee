"""Published boards (where the data is at hand), and a small world of outputs and scores."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from olmeda.artifacts.examples import Output
from olmeda.base.files import read_json, write_rows

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of published data sets, or a skip that says what is missing."""
    folder = Path(os.environ.get("OLMEDA_DATA", ROOT.parent / "shared" / "data"))
    if not (folder / "billboard").is_dir():
        pytest.skip(f"{folder}/billboard is absent; set OLMEDA_DATA to the published data")
    return folder


@pytest.fixture(scope="session")
def golden() -> dict[str, Any]:
    """What the published boards' formulas give."""
    found: dict[str, Any] = read_json(ROOT / "tests" / "golden" / "billboard" / "billboard.json")
    return found


@dataclass(frozen=True)
class Published:
    """One published board: all cells, and the rows that people rated."""

    metrics: list[str]
    everything: pl.DataFrame
    rated: pl.DataFrame

    def grid(self, column: str) -> np.ndarray:
        """A column of the rated rows as [systems, instances]."""
        return self.rated[column].to_numpy().reshape(self.rated["SYS"].n_unique(), -1)


@pytest.fixture(scope="session")
def published(data: Path) -> Callable[[str], Published]:
    """Open a published board by name."""

    def open_board(name: str) -> Published:
        cells = pl.read_csv(data / "billboard" / "metric_scores" / f"{name}.csv.gz")
        human = pl.read_csv(data / "billboard" / "human" / f"{name}.csv.gz")
        apart = ("SYS", "set_id", "seg_id", "ensemble")
        metrics = [c for c in cells.columns if c not in apart]
        rated = cells.join(human, on=["SYS", "set_id"]).sort("SYS", "set_id")
        return Published(metrics, cells, rated)

    return open_board


Write = Callable[..., Path]


@pytest.fixture
def write_outputs(tmp_path: Path) -> Write:
    """Write outputs as evals.run leaves them; return the folder."""

    def write(rows: list[Output], name: str = "evals") -> Path:
        folder = tmp_path / name
        folder.mkdir()
        write_rows(folder / "outputs.jsonl", rows)
        return folder

    return write
