"""Training started as people start it: torchrun, two processes on this machine, gloo."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

WORDS = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node"]


def start(settings: dict[str, Any], out: Path, processes: int = 2, *words: str) -> Any:
    """Begin ``train run``; the process leads a group of its own, so that it can be killed whole."""
    file = out.with_name(f"{out.name}.yaml")
    file.write_text(yaml.safe_dump(json.loads(json.dumps(settings, default=str))))
    launcher = [*WORDS, str(processes)] if processes > 1 else []
    command = [sys.executable, *launcher, "-m", "olmeda", "train", "run", str(file)]
    return subprocess.Popen(
        [*command, *words, "--out", str(out)],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def finished(process: Any, seconds: float = 100) -> str:
    """What a process said until it ended, which it has to do well."""
    said, _ = process.communicate(timeout=seconds)
    assert process.returncode == 0, said
    return str(said)


def wait_for_rows(out: Path, rows: int, process: Any, seconds: float = 60) -> None:
    """Wait until an unfinished run has logged so many rows."""
    file = out.with_name(f".{out.name}.making") / "progress.jsonl"
    upto = time.monotonic() + seconds
    while not file.is_file() or file.read_bytes().count(b"\n") < rows:
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < upto, "the run does not get on"
        time.sleep(0.01)


def kill_all(process: Any) -> None:
    """SIGKILL the launcher and its workers, as a power cut would."""
    for pid in [*workers(process), process.pid]:
        os.kill(pid, signal.SIGKILL)
    process.communicate()


def workers(process: Any) -> list[int]:
    """The processes that a launcher started."""
    file = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    return [int(pid) for pid in file.read_text().split()]


def losses(rows: Sequence[dict[str, Any]]) -> list[tuple[float, float]]:
    """Loss and gradient norm of each step."""
    return [(r["loss"], r["grad_norm"]) for r in rows if "loss" in r]
