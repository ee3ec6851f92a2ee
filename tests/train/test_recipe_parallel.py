"""A recipe worked through by two processes, started by torchrun: what one makes, two make."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from safetensors.numpy import load_file

from olmeda.artifacts.checkpoint import read_progress
from olmeda.artifacts.lineage import Lineage, check
from olmeda.artifacts.scores import Scores
from olmeda.recipe import Recipe, run
from train.conftest import MODELS
from train.torchrun import WORDS, losses

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not torch.distributed.is_available(), reason="no torch.distributed here"),
]
STEPS = ("tokens", "first", "second", "cost")


def write_recipe(tokens: dict[str, Path], file: Path) -> Path:
    home = tokens["tokens"].parent
    loop = {"steps": 8, "batch_tokens": 128, "micro_tokens": 64, "sequence": 32, "lr": 0.01}
    stage = {"run": "train.run", "tokens": "${tokens}", "model": MODELS["dense"], "loop": loop,
             "parallel": {"kind": "fsdp"}, "checkpoints": {"keep_every": 4}}  # fmt: skip
    steps = {
        "tokens": {"run": "tokens.encode", "corpus": home / "tokens-text",
                   "tokenizer": home / "tokenizer"},
        "first": stage,
        "second": {**stage, "start": "${first}"},
        "cost": {"run": "evals.perplexity", "systems": {"first": "${first}", "end": "${second}"},
                 "tokens": tokens["heldout"], "max_tokens": 500},
    }  # fmt: skip
    recipe = {"recipe": "small", "steps": steps, "prints": ["${cost}/told.txt"]}
    file.write_text(yaml.safe_dump(json.loads(json.dumps(recipe, default=str)), sort_keys=False))
    return file


def two(file: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """``olmeda run`` by two processes."""
    launcher = [sys.executable, *WORDS, "2", "-m", "olmeda", "run", str(file), *words]
    env = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.run(launcher, capture_output=True, text=True, timeout=110, env=env)


def scores(folder: Path) -> dict[str, float]:
    """Values by what they are of."""
    rows = Scores.open(folder).frame.to_dicts()
    return {f"{r['system']} {r['task']} {r['item']} {r['scorer']}": r["value"] for r in rows}


def test_two_processes_make_the_artifacts_of_one_and_skip_together_what_is_finished(
    tokens: dict[str, Path], tmp_path: Path
) -> None:
    file = write_recipe(tokens, tmp_path / "small.yaml")
    run(Recipe.load(file, [f"out={tmp_path / 'one'}"]))
    out = f"out={tmp_path / 'two'}"
    done = two(file, out, "--until", "first")
    assert done.returncode == 0, done.stderr
    done = two(file, out)
    assert done.returncode == 0, done.stderr
    said = [line for line in done.stderr.splitlines() if line.startswith("[")]
    assert [line for line in said if "unchanged" in line] == said[:2], "one process tells"
    assert len(said) == 2 + 2 * 2
    for name in STEPS:
        one, other = check(tmp_path / "one" / name), check(tmp_path / "two" / name, contents=True)
        assert one.kind == other.kind
        assert list(one.files) == list(other.files)
    assert (
        Lineage.open(tmp_path / "one/tokens").digest == Lineage.open(tmp_path / "two/tokens").digest
    )
    for name in ("first", "second", "first.checkpoints/step-00000004"):
        a, b = tmp_path / "one" / name, tmp_path / "two" / name
        np.testing.assert_allclose(losses(read_progress(a)), losses(read_progress(b)), rtol=2e-6)
        held = load_file(b / "model.safetensors")
        for tensor, value in load_file(a / "model.safetensors").items():
            np.testing.assert_allclose(value, held[tensor], atol=1e-5, err_msg=tensor)
    one, other = scores(tmp_path / "one/cost"), scores(tmp_path / "two/cost")
    assert one.keys() == other.keys()
    np.testing.assert_allclose(list(one.values()), list(other.values()), rtol=1e-5)
    launches = (tmp_path / "two/second/journal/launches.jsonl").read_text().splitlines()
    assert [json.loads(line)["processes"] for line in launches] == [2]
    done = two(file, out)
    assert done.stderr.count("unchanged") == len(STEPS)


def test_a_step_that_fails_in_the_first_process_ends_all_of_them_at_once(
    tokens: dict[str, Path], tmp_path: Path
) -> None:
    file = write_recipe(tokens, tmp_path / "small.yaml")
    done = two(file, f"out={tmp_path / 'two'}", f"tokens.corpus={tmp_path / 'nowhere'}")
    assert done.returncode != 0
    told = "step tokens (tokens.encode): "
    assert f"olmeda: {told}{tmp_path}/nowhere: no such artifact" in done.stderr
    assert f"{told}the first process could not do it: {tmp_path}/nowhere" in done.stderr
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken/file").touch()
    done = two(file, f"out={tmp_path / 'taken'}")
    assert done.stderr.count("is not empty and holds no run") == 2


SILENT = """
import sys, time
from olmeda.base.errors import ResourceError
from olmeda.train import relay

relay.BEAT_SECONDS = 0.3
with relay.relaying(silence=3.0) as crew:
    if crew.is_first:
        time.sleep(5)  # longer than silence may last, but alive
        crew.told(b"done")
        relay.BEAT_SECONDS = 1e3
        time.sleep(8)
    else:
        began = time.monotonic()
        assert crew.told(b"") == b"done"
        assert time.monotonic() - began > 3
        try:
            crew.told(b"")
        except ResourceError as problem:
            assert "has said nothing for 3 s" in str(problem), problem
        else:
            raise AssertionError("waited for ever")
"""


def test_who_waits_does_so_while_the_first_process_lives_and_no_longer(tmp_path: Path) -> None:
    (tmp_path / "silent.py").write_text(SILENT)
    launcher = [sys.executable, *WORDS, "2", str(tmp_path / "silent.py")]
    done = subprocess.run(launcher, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr


RESTARTED = """
import os, sys, time
from olmeda.train.relay import relaying
from olmeda.train.world import joined

attempt = os.environ["TORCHELASTIC_RESTART_COUNT"]
with relaying() as crew:
    if crew.is_first:
        time.sleep(2)
    assert crew.told(attempt.encode()) == attempt.encode(), "a note of before"
    with joined(60) as world:
        assert world.total(1.0) == [2.0]
    if attempt == "0":
        sys.exit(1)
"""


def test_after_a_restart_no_note_of_before_is_read(tmp_path: Path) -> None:
    (tmp_path / "again.py").write_text(RESTARTED)
    launcher = [sys.executable, *WORDS[:-1], "--max-restarts", "1", WORDS[-1], "2"]
    done = subprocess.run(
        [*launcher, str(tmp_path / "again.py")], capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stderr
