"""SIGKILL at random moments, again and again, until the run is through."""

from __future__ import annotations

import multiprocessing
import random
import time
from pathlib import Path
from typing import Any

import pytest

from olmeda.artifacts.checkpoint import read_progress
from olmeda.artifacts.lineage import Lineage
from olmeda.train.run import RunConfig, run
from olmeda.train.state import newest_state
from train.conftest import MODELS

EVERY = 4
STEPS = 120


def settings(tokens: dict[str, Path]) -> dict[str, Any]:
    loop = {"steps": STEPS, "batch_tokens": 128, "micro_tokens": 64, "sequence": 32, "lr": 0.01,
            "save_every": EVERY, "warmup": 2, "optim": {"kind": "muon"}}  # fmt: skip
    return {**tokens, "model": MODELS["moe"], "loop": loop, "seed": 3,
            "probe": {"every": 30, "tokens": 200}, "checkpoints": {"keep_every": 50}}  # fmt: skip


def train_once(values: dict[str, Any], out: Path) -> None:
    run(RunConfig.model_validate(values), out)


def logged_steps(making: Path) -> int:
    """The last step that the log tells of, half a line not counted."""
    file = making / "progress.jsonl"
    whole = file.read_bytes().rpartition(b"\n")[0].splitlines() if file.is_file() else []
    return len(whole) - 1


@pytest.mark.slow
def test_kills_at_random_moments_lose_at_most_the_steps_since_the_last_saved_state(
    tokens: dict[str, Path], tmp_path: Path
) -> None:
    values, out = settings(tokens), tmp_path / "killed"
    making = tmp_path / ".killed.making"
    # a server that has imported everything forks each run: no second is lost between two kills
    server = multiprocessing.get_context("forkserver")
    server.set_forkserver_preload(["olmeda.train.run", "train.conftest", "train.test_kill"])
    chance, kills = random.Random(7), 0
    while not out.exists():
        began = logged_steps(making)
        process = server.Process(target=train_once, args=(values, out))
        process.start()
        upto = time.monotonic() + 60
        while process.is_alive() and logged_steps(making) == began and time.monotonic() < upto:
            time.sleep(0.002)
        process.join(chance.uniform(0, 0.5) if kills < 15 else None)
        process.kill()
        process.join()
        if process.exitcode == 0:
            break
        kills += 1
        assert kills < 60
        state = newest_state(making / "resume")
        saved = state.steps if state else 0
        # a state is written behind the run, and the next one waits for it: one may be under way
        assert saved > logged_steps(making) - 2 * EVERY, (saved, logged_steps(making))
    assert kills >= 3
    straight = run(RunConfig.model_validate(values), tmp_path / "straight")
    assert Lineage.open(out).digest == Lineage.open(straight).digest
    assert len(read_progress(out)) == STEPS + 1
    kept = sorted((tmp_path / "killed.checkpoints").glob("step-*"))
    assert [p.name for p in kept] == ["step-00000050", "step-00000100"]
    for checkpoint in kept:
        other = tmp_path / "straight.checkpoints" / checkpoint.name
        assert Lineage.open(checkpoint).digest == Lineage.open(other).digest
