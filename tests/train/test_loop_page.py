"""The commands, recipes and code of docs/train/loop.md do what stands there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from olmeda import cli
from olmeda.artifacts.checkpoint import Checkpoint, read_progress
from olmeda.train import optim, schedule
from olmeda.train.compute import ComputeConfig
from olmeda.train.settings import PretrainLoop

PAGE = (Path(__file__).parents[2] / "docs" / "train" / "loop.md").read_text()


def blocks(kind: str) -> list[str]:
    found = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    return [text for name, text in found if name == kind]


def test_the_commands_of_the_page_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    cli._add_rooms()
    for text in blocks("yaml"):
        Path(text.splitlines()[0].removeprefix("# ")).write_text(text)
    for line in blocks("sh")[0].splitlines():
        done = CliRunner().invoke(cli.app, shlex.split(line)[1:])
        assert done.exit_code == 0, (line, done.output, done.exception)
    first = read_progress(Path("runs/stage1"))
    assert [row["tokens"] for row in first[-2:]] == [18432, 20480]
    assert read_progress(Path("runs/anneal-42"))[1]["loss"] < first[1]["loss"]
    assert Checkpoint.open(Path("runs/model")).config["vocab_size"] == 1024


def test_the_schedule_of_the_page_is_one() -> None:
    space: dict[str, object] = {"__name__": "page"}
    exec(blocks("python")[0], space)  # noqa: S102 (our own page)
    factor = space["factor"]
    assert callable(factor)
    assert factor(9) == 1
    assert factor(55) == pytest.approx(2**-1.5)


def test_every_key_stands_on_the_page() -> None:
    for config in (PretrainLoop, ComputeConfig, optim.AdamW, optim.MuonWithAdamW,
                   schedule.WarmupStableDecay):  # fmt: skip
        for key in config.model_fields:
            if key not in ("log_every", "save_every"):
                assert f"`{key}" in PAGE or f"`{key}`" in PAGE or f"{key}:" in PAGE, key
