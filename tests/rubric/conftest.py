"""A session over three systems and six items, and the published THumB ratings."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from olmeda.artifacts.examples import Output
from olmeda.base.files import read_json, write_rows
from olmeda.rubric.prepare import PrepareConfig, prepare

ROOT = Path(__file__).parent.parent.parent
TASK = "test/generation"
Prepare = Callable[..., Path]


@pytest.fixture(scope="session")
def thumb_data() -> Path:
    """The folder of THumB's ratings, or a skip that says what is missing."""
    folder = Path(os.environ.get("OLMEDA_DATA", ROOT.parent / "shared" / "data")) / "thumb"
    if not folder.is_dir():
        pytest.skip(f"{folder} is absent; set OLMEDA_DATA to the published data")
    return folder


@pytest.fixture(scope="session")
def golden() -> dict[str, Any]:
    """THumB's tables."""
    found: dict[str, Any] = read_json(ROOT / "tests" / "golden" / "rubric" / "thumb.json")
    return found


def rows_of(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def outputs() -> list[Output]:
    """Three systems on six items; on item i0 two systems say the same."""
    rows = []
    for i in range(6):
        for system in ("alpha", "beta", "Human"):
            text = "the same words" if i == 0 and system != "Human" else f"{system[::-1]} says {i}"
            rows.append(Output(system, TASK, f"i{i}", f"source {i}", f"reference {i}", text))
    return rows


@pytest.fixture
def make_session(tmp_path: Path) -> Prepare:
    """Prepare a session of the small world with given settings; return its folder."""

    def make(name: str = "run/session", **settings: Any) -> Path:
        folder = tmp_path / "evals"
        if not folder.is_dir():
            folder.mkdir()
            write_rows(folder / "outputs.jsonl", outputs())
        config = PrepareConfig(outputs=[folder], task=TASK, **settings)
        return prepare(config, tmp_path / name)

    return make
