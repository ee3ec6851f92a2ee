"""The commands and the recipe of docs/train/checkpoints.md and docs/train/scale.md work."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from olmeda import cli
from olmeda.artifacts.lineage import Lineage
from train.test_parallel import settings

DOCS = Path(__file__).parents[2] / "docs" / "train"


def block(page: str, kind: str) -> str:
    found = re.search(
        rf"^```{kind}\n(.*?)^```$", (DOCS / page).read_text(), re.DOTALL | re.MULTILINE
    )
    assert found is not None
    return found[1]


def test_the_page_of_checkpoints_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    cli._add_rooms()
    Path("kept.yaml").write_text(block("checkpoints.md", "yaml"))
    for line in block("checkpoints.md", "sh").splitlines():
        done = CliRunner().invoke(cli.app, shlex.split(line)[1:])
        assert done.exit_code == 0, (line, done.output, done.exception)
    assert "tokens.encode" in done.output
    kept = sorted(Path("runs/small.checkpoints").iterdir())
    assert [Lineage.open(path).counts["steps"] for path in kept] == [10, 20]


@pytest.mark.slow
def test_the_first_commands_of_the_page_of_scale_run(
    tokens: dict[str, Path], tmp_path: Path
) -> None:
    values = settings(tokens, loop={"steps": 5})
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(json.loads(json.dumps(values, default=str))))
    together, alone = block("scale.md", "sh").splitlines()[:2]
    launcher = [sys.executable, "-m", "torch.distributed.run", *shlex.split(together)[1:]]
    subprocess.run(launcher, cwd=tmp_path, check=True, capture_output=True, timeout=100)
    again = [sys.executable, "-m", "olmeda", *shlex.split(alone, comments=True)[1:]]
    done = subprocess.run(again, cwd=tmp_path, check=True, capture_output=True, timeout=100)
    assert b"steps 5" in done.stderr + done.stdout
