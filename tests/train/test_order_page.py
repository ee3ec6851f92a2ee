"""The commands, the recipe and the code of docs/train/order.md do what stands there."""

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
from olmeda.base.config import validated
from olmeda.tokens.data_config import MixConfig

PAGE = (Path(__file__).parents[2] / "docs" / "train" / "order.md").read_text()


def block(kind: str, number: int = 0) -> str:
    found = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    return str([text for name, text in found if name == kind][number])


def test_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    cli._add_rooms()
    Path("run.yaml").write_text(block("yaml"))
    printed = []
    for line in block("sh").splitlines():
        done = CliRunner().invoke(cli.app, shlex.split(line, comments=True)[1:])
        assert done.exit_code == 0, (line, done.output, done.exception)
        printed.append(done.output)
    whole, step, document, told = printed[-4:]
    assert {"topics", "docs"} <= {line.split()[0] for line in whole.splitlines()}
    shown = block("").splitlines()
    numbers = re.compile(r"[0-9a-f]{12}|\d[\d,.]*")
    assert numbers.sub("#", step.splitlines()[0]) == numbers.sub("#", shown[0])
    assert numbers.sub("#", step.splitlines()[1]) == numbers.sub("#", shown[1])
    assert document.startswith("topics/specialnames  (topics)")
    assert json.loads(told)["step"] == 3
    done = subprocess.run(
        [sys.executable, "-c", block("python") + "print(len(places))"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(done.stdout) > 0


def test_the_mixture_on_the_page_is_one() -> None:
    mix = validated(MixConfig, yaml.safe_load(block("yaml", 1))["mix"], "")
    assert mix.stages[1].ramp
