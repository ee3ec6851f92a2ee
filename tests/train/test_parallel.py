"""Two processes, started by torchrun, against one: equal losses, resuming, resharding, losses."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from olmeda.artifacts.checkpoint import read_progress
from olmeda.train.run import RunConfig, run
from train.conftest import MODELS
from train.torchrun import WORDS, finished, kill_all, losses, start, wait_for_rows, workers

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not torch.distributed.is_available(), reason="no torch.distributed here"),
]


def settings(tokens: dict[str, Path], model: str = "dense", **changes: Any) -> dict[str, Any]:
    loop = {"steps": 80, "batch_tokens": 128, "micro_tokens": 64, "sequence": 32, "lr": 0.01,
            "save_every": 10, "warmup": 2, **changes.pop("loop", {})}  # fmt: skip
    return {**tokens, "model": MODELS[model], "loop": loop, "seed": 3,
            "probe": {"every": 30, "tokens": 200}, **changes}  # fmt: skip


def in_one(values: dict[str, Any], out: Path) -> Path:
    return run(RunConfig.model_validate(values), out)


def assert_near(a: Path, b: Path) -> None:
    """Losses, norms and weights within 1e-6; sums over two processes differ in their last bits."""
    np.testing.assert_allclose(losses(read_progress(a)), losses(read_progress(b)), rtol=1e-6)
    one, other = load_file(a / "model.safetensors"), load_file(b / "model.safetensors")
    assert list(one) == list(other)
    for name, value in one.items():
        np.testing.assert_allclose(value, other[name], atol=1e-6, err_msg=name)


def assert_equal(a: Path, b: Path) -> None:
    for name in ("model.safetensors", "progress.jsonl"):
        assert (a / name).read_bytes() == (b / name).read_bytes(), name


@pytest.mark.parametrize(
    ("parallel", "model", "optim"),
    [
        ({"kind": "fsdp"}, "dense", "adamw"),
        ({"kind": "ddp"}, "moe", "muon"),
        ({"kind": "fsdp", "experts": 2}, "moe", "adamw"),
        ({"kind": "ddp", "experts": 2}, "moe", "muon"),
    ],
)
def test_two_processes_killed_go_on_bit_equal_and_one_process_goes_on_within_a_millionth(
    parallel: dict[str, Any], model: str, optim: str, tokens: dict[str, Path], tmp_path: Path
) -> None:
    values = settings(tokens, model, loop={"optim": {"kind": optim}}, parallel=parallel)
    straight, killed = tmp_path / "straight", tmp_path / "killed"
    finished(start(values, straight))
    running = start(values, killed)
    wait_for_rows(killed, 42, running)
    kill_all(running)
    assert not killed.exists()
    shutil.copytree(tmp_path / ".killed.making", tmp_path / ".alone.making")
    assert "going on after step" in finished(start(values, killed))
    assert_equal(killed, straight)
    assert not list(killed.glob("resume*"))
    assert_near(in_one(values, tmp_path / "alone"), straight)


def test_what_one_process_began_two_go_on_with(tokens: dict[str, Path], tmp_path: Path) -> None:
    values = settings(tokens, parallel={"kind": "fsdp"})
    running = start(values, tmp_path / "grown", 1)
    wait_for_rows(tmp_path / "grown", 42, running)
    kill_all(running)
    assert "going on after step" in finished(start(values, tmp_path / "grown"))
    assert_near(tmp_path / "grown", in_one(values, tmp_path / "one"))


def test_kept_checkpoints_of_other_settings_stop_all_processes_at_once(
    tokens: dict[str, Path], tmp_path: Path
) -> None:
    values = settings(tokens, loop={"steps": 4}, checkpoints={"keep_every": 2})
    made = in_one(values, tmp_path / "made")
    shutil.rmtree(made)
    running = start({**values, "seed": 4}, tmp_path / "made")
    said, _ = running.communicate(timeout=100)
    assert said.count("holds checkpoints that a run of other settings or inputs kept") == 2, said
    said = finished(start({**values, "seed": 4}, tmp_path / "made", 2, "--replace"))
    assert said.count("removed what a run of other settings or inputs kept") == 1


def test_a_lost_process_ends_the_others_with_a_message_and_the_run_goes_on(
    tokens: dict[str, Path], tmp_path: Path
) -> None:
    values = settings(tokens, loop={"steps": 400})
    running = start(values, tmp_path / "lost")
    wait_for_rows(tmp_path / "lost", 42, running)
    os.kill(workers(running)[1], signal.SIGKILL)
    began = time.monotonic()
    said, _ = running.communicate(timeout=60)
    assert running.returncode != 0
    assert time.monotonic() - began < 40
    assert "run the same command again to go on" in said
    said = finished(start(values, tmp_path / "lost"))
    assert "going on after step" in said
    assert read_progress(tmp_path / "lost")[-1]["step"] == 400


def test_a_process_that_hangs_is_given_up_after_the_time_that_was_set(
    tokens: dict[str, Path], tmp_path: Path
) -> None:
    values = settings(tokens, loop={"steps": 4000}, parallel={"timeout_seconds": 3})
    running = start(values, tmp_path / "hung")
    wait_for_rows(tmp_path / "hung", 42, running)
    os.kill(workers(running)[1], signal.SIGSTOP)
    began = time.monotonic()
    try:
        told = ""
        while time.monotonic() - began < 120.0:  # a busy machine takes its time to notice
            line = running.stdout.readline()
            told += line
            if not line or "lost another one" in line:
                break
        assert "lost another one" in told
    finally:
        kill_all(running)


def test_sigterm_stops_both_processes_at_one_step(tokens: dict[str, Path], tmp_path: Path) -> None:
    values = settings(tokens, loop={"steps": 4000})
    running = start(values, tmp_path / "stopped")
    wait_for_rows(tmp_path / "stopped", 15, running)
    running.send_signal(signal.SIGTERM)
    said, _ = running.communicate(timeout=60)
    assert said.count("asked to stop (SIGTERM)") == 2
    states = sorted((tmp_path / ".stopped.making" / "resume").iterdir())
    assert len(states) == 1
    assert (states[0] / "state.json").is_file()


BORN = """
import torch
from olmeda.model.config import ModelConfig
from olmeda.model.transformer import Transformer
from olmeda.train.first_weights import Drawn
from olmeda.train.parallel import ParallelConfig, placed_state, whole
from olmeda.train.world import joined

shape = dict(vocab_size=402, width=16, layers=2, heads=2, mlp_width=24, sequence=32, qk_norm="none",
             norm="layer", init="llama", experts={"count": 4, "chosen": 2, "bias_rate": 0.01})
config = ModelConfig(**shape)
with joined(60) as world:
    alone = Transformer.initialised(config, 3)
    held = alone.state_dict()
    for kind, experts in (("fsdp", 1), ("fsdp", 2), ("ddp", 2)):
        parallel = ParallelConfig(kind=kind, experts=experts)
        model = parallel.begin(Drawn(config, 3), world, lambda _: None)
        assert sum(p.numel() for p in model.parameters()) > 0
        state = placed_state(model)
        assert list(state) == list(held)
        for name, value in state.items():
            assert torch.equal(whole(value), held[name]), (kind, experts, name)
        for a, b in zip(model.buffers(), alone.buffers(), strict=True):
            assert torch.equal(a, b)
"""


FULL = """
import errno, sys, time
from pathlib import Path
import torch
from olmeda.base.errors import ResourceError
from olmeda.train import saving
from olmeda.train.saving import StateSaver
from olmeda.train.state import SavedState, saved_states
from olmeda.train.world import joined

folder = Path(sys.argv[1])
real = saving.fsync_file

def refuse(path):
    raise OSError(errno.ENOSPC, "No space left on device", str(path))

with joined(60) as world:
    saver = StateSaver(folder, background=True, world=world)
    tensors = {"model.a": torch.arange(6.0), f"rng.{world.rank}": torch.zeros(2)}
    saver.save(tensors, SavedState(1, 0, 0.0, "", 0))
    saver.wait()
    for full in (0, 1):
        saving.fsync_file = refuse if world.rank == full else real
        began = time.monotonic()
        saver = StateSaver(folder, background=True, world=world)
        saver.save(tensors, SavedState(2 + full, 0, 0.0, "", 0))
        try:
            saver.wait()
        except ResourceError as problem:
            assert "last saved state is of step 1 " in str(problem)
            said = "no space left" if world.rank == full else "another process could not write"
            assert said in str(problem), problem
        else:
            raise AssertionError("nothing was said")
        assert time.monotonic() - began < 20
    assert [state.steps for state in saved_states(folder)] == [1]
"""


def test_a_disk_that_is_full_for_one_process_is_told_by_all(tmp_path: Path) -> None:
    (tmp_path / "full.py").write_text(FULL)
    launcher = [sys.executable, *WORDS, "2", str(tmp_path / "full.py"), str(tmp_path / "resume")]
    done = subprocess.run(launcher, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr


def test_a_shared_model_begins_with_the_weights_of_one_process(tmp_path: Path) -> None:
    (tmp_path / "born.py").write_text(BORN)
    launcher = [sys.executable, *WORDS, "2", str(tmp_path / "born.py")]
    done = subprocess.run(launcher, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
