"""The example of the page, and the commands as a person starts them."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from olmeda.serve.served import Served

PAGE = (Path(__file__).parents[2] / "docs" / "serve.md").read_text(encoding="utf-8")


def test_example_of_the_page_runs(
    served: Served, address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("openai", reason="the openai client is not installed")
    example = re.findall(r"```python\n(.*?)```", PAGE, re.S)[0]
    here = example.replace("http://127.0.0.1:8000", address).replace('"sft"', repr(served.name))
    held: dict[str, object] = {}
    exec(compile(here, "docs/serve.md", "exec"), held)  # noqa: S102 (our own page)
    assert held["told"].choices[0].logprobs.tokens  # type: ignore[attr-defined]
    assert capsys.readouterr().out


def test_serve_listens_until_it_is_interrupted(checkpoint: Path) -> None:
    command = [sys.executable, "-m", "olmeda", "serve", str(checkpoint), "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        line = process.stderr.readline()
        found = re.search(r"http://127\.0\.0\.1:\d+", line)
        assert found is not None, line
        told = httpx.get(found[0] + "/v1/models", timeout=30).json()
        process.send_signal(signal.SIGINT)
        process.wait(30)
    assert told["data"][0]["id"] == checkpoint.name


def test_chat_talks_over_pipes(checkpoint: Path) -> None:
    command = [sys.executable, "-m", "olmeda", "chat", str(checkpoint), "--most", "5"]
    done = subprocess.run(command, input="Hi\n/quit\n", capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "[5 tokens" in done.stdout


def test_what_is_no_checkpoint_is_told(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "olmeda", "serve", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 4
    assert "no checkpoint here" in done.stderr
