"""The shell says the truth: exit codes, one message, and nothing done where it said dry."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


def olmeda(*words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "olmeda", *words]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=120)


def test_help_lists_rooms() -> None:
    done = olmeda("--help")
    assert done.returncode == 0
    assert all(word in done.stdout for word in ("run", "trace", "data", "billboard"))


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["run", "none.yaml"], 2, "none.yaml: no such file"),
        (["trace", "nothing"], 4, "no artifact at or above"),
        (["data", "tag", "corpus=none"], 2, "taggers: is required"),
        (["data", "tag", "corpus=none", "taggers=[gopher]"], 2, "--out FOLDER"),
        (["data", "tag", "corpus=none", "taggers=[gopher]", "--out", "x"], 4, "no such artifact"),
        (["list", "tagers"], 2, "did you mean 'taggers'"),
        (["data", "tagg"], 2, "tag"),
    ],
)
def test_wrong_command_ends_in_one_message(
    tmp_path: Path, words: list[str], code: int, says: str
) -> None:
    done = olmeda(*words, cwd=tmp_path)
    assert (done.returncode, says in done.stderr) == (code, True), done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_verb_runs_from_the_shell_and_is_traced(tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    notes.mkdir()
    (notes / "a.txt").write_text("Elms stand in a grove.\n")
    source = "sources=[{name: notes, kind: files, path: notes}]"
    dry = olmeda("data", "read", source, "--out", "corpus", "--dry", cwd=tmp_path)
    assert (dry.returncode, (tmp_path / "corpus").exists()) == (0, False), dry.stderr
    done = olmeda("data", "read", source, "--out", "corpus", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    traced = olmeda("trace", "corpus", cwd=tmp_path)
    assert "corpus by data.read" in traced.stdout
