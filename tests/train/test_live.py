"""What a terminal shows of runs, and the command that shows it."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from olmeda.artifacts.training_log import TrainingLog
from olmeda.train.live import duration, screen, shades, short_names, smoothed


def write_run(out: Path, steps: int, until: int = 40, finished: bool = False, **more: Any) -> Path:
    """The files of a run that has done ``steps`` of ``until``."""
    home = out if finished else out.with_name(f".{out.name}.making")
    (home / "journal").mkdir(parents=True)
    rows = []
    for step in range(steps + 1):
        row: dict[str, Any] = {"step": step, "tokens": 10 * step}
        if step:
            row |= {"loss": 2.0 + 1 / step, "lr": 0.01, "grad_norm": 0.5}
        if step % 10 == 0:
            row |= {"heldout/notes": 3.0 - step / 100, **more}
        rows.append(row)
    speeds = [{"step": s, "seconds": 3.0, "tokens_per_second": 1234.0, "mfu": 0.42}
              for s in range(1, steps + 1)]  # fmt: skip
    launch = {"step": 0, "until": until, "started": 0.0}
    for file, lines in (
        (home / "progress.jsonl", rows),
        (home / "journal/speed.jsonl", speeds),
        (home / "journal/launches.jsonl", [launch]),
    ):
        file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    if finished:
        (home / "lineage.json").write_text("{}")
    return out


def shown(*paths: Path, width: int = 100, height: int = 40) -> str:
    console = Console(width=width, height=height, force_terminal=False)
    with console.capture() as capture:
        console.print(screen([TrainingLog.open(path) for path in paths], width, height))
    return capture.get()


def test_the_screen_says_how_far_and_how_well(tmp_path: Path) -> None:
    load = {"load": [[0.5, 0.25, 0.25]], "saturation/before": [0.75]}
    text = shown(
        write_run(tmp_path / "a", 20, **load), write_run(tmp_path / "b", 40, finished=True)
    )
    for told in ("20/40", "finished", "running", "1,234", "42 %", "60 s", "2.8000 -0.1000",
                 "2.6000 -0.1000", "layer  0 ▆▃▃", "1.50", "75 %", "training loss"):  # fmt: skip
        assert told in text, told
    assert max(map(len, text.splitlines())) <= 100


def test_a_narrow_terminal_and_a_young_run_are_shown_too(tmp_path: Path) -> None:
    assert "0/40" in shown(write_run(tmp_path / "young", 0), width=60, height=10)


def test_a_run_where_nothing_happens_stands_still(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", 5)
    log = tmp_path / ".run.making/progress.jsonl"
    os.utime(log, (time.time() - 600, time.time() - 600))
    assert "still for 10 min" in shown(run)


def test_names_are_as_short_as_they_can_be() -> None:
    assert short_names(["runs/a/dense", "runs/a/moe/"]) == ["dense", "moe"]
    assert short_names(["runs/a/dense", "runs/b/dense"]) == ["a/dense", "b/dense"]
    assert short_names(["x", "x"]) == ["x", "x"]


def test_shades_are_half_full_at_an_even_share() -> None:
    assert shades([0.25, 0.25, 0.25, 0.25]) == "▄▄▄▄"
    assert shades([1.0, 0.0, 0.0, 0.0]) == "█   "
    assert shades([0.9999, 0.0001]) == "█▁", "who was visited at all is seen"


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(59.6, "60 s"), (300, "5 min"), (11_100, "3 h 05 min"), (200_000, "2 d 7 h")],
)
def test_durations_read_as_people_say_them(seconds: float, told: str) -> None:
    assert duration(seconds) == told


def test_smoothing_keeps_the_last_step() -> None:
    points = [(step, float(step)) for step in range(1, 102)]
    found = smoothed(points, 10)
    assert len(found) <= 10
    assert found[-1][0] == 101.0


def test_the_command_prints_once_where_there_is_no_terminal(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", 20)
    command = [sys.executable, "-m", "olmeda", "train", "watch"]
    done = subprocess.run([*command, str(run)], capture_output=True, text=True, timeout=60)
    assert "20/40" in done.stdout
    wrong = subprocess.run([*command, str(tmp_path)], capture_output=True, text=True, timeout=60)
    assert wrong.returncode == 4
    assert "no training run here" in wrong.stderr


def test_the_command_follows_a_run_to_its_end(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", 20)
    leader, follower = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100", "LINES": "40"}
    watching = subprocess.Popen(
        [sys.executable, "-m", "olmeda", "train", "watch", str(run), "--every", "0.2"],
        stdout=follower, stderr=follower, stdin=follower, env=environment,
    )  # fmt: skip
    os.close(follower)
    text = _until(leader, "20/40")
    making = tmp_path / ".run.making"
    with open(making / "progress.jsonl", "a") as out:
        out.write(json.dumps({"step": 40, "tokens": 400, "loss": 1.5}) + "\n")
    text += _until(leader, "40/40")
    making.rename(run)
    (run / "lineage.json").write_text("{}")
    text += _until(leader, "finished")
    assert watching.wait(timeout=30) == 0
    os.close(leader)
    assert "running" in text


def _until(terminal: int, word: str) -> str:
    text = ""
    while word not in text:
        text += os.read(terminal, 65536).decode(errors="replace")
    return text
