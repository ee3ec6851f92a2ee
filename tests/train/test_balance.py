"""Biases of routers in a run: they move after each step, by all processes, and are saved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from olmeda.artifacts.checkpoint import read_progress
from olmeda.train.batches import InstanceBatches
from olmeda.train.run import RunConfig, run
from olmeda.train.skip import SpikeSkipper
from train.conftest import MODELS
from train.test_run import at_step, interrupt
from train.torchrun import finished, start

RATE = 0.01


def settings(tokens: dict[str, Path]) -> dict[str, Any]:
    experts = {"count": 4, "chosen": 2, "bias_rate": RATE, "balance_weight": 0.0}
    loop = {"steps": 12, "batch_tokens": 128, "micro_tokens": 64, "sequence": 32, "lr": 0.01,
            "save_every": 5}  # fmt: skip
    model = {**MODELS["moe"], "experts": experts}
    return {"tokens": tokens["tokens"], "model": model, "loop": loop, "seed": 3}


def biases(checkpoint: Path) -> dict[str, np.ndarray]:
    held = load_file(checkpoint / "model.safetensors")
    return {name: value for name, value in held.items() if name.endswith("correction_bias")}


def test_biases_move_each_step_and_a_run_that_was_killed_ends_with_the_same(
    tokens: dict[str, Path], tmp_path: Path
) -> None:
    config = RunConfig.model_validate(settings(tokens))
    straight = run(config, tmp_path / "straight")
    found = biases(straight)
    assert len(found) == 2
    for bias in found.values():
        steps = bias / RATE
        np.testing.assert_allclose(steps, np.round(steps), atol=1e-4)
        assert 0 < np.abs(steps).max() <= 12
    killed = tmp_path / "killed"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(InstanceBatches, "at", at_step(8, interrupt))
        with pytest.raises(KeyboardInterrupt):
            run(config, killed)
    run(config, killed)
    name = "model.safetensors"
    assert (killed / name).read_bytes() == (straight / name).read_bytes()


def test_a_step_that_is_left_out_moves_no_bias_and_its_visits_count_for_no_other(
    tokens: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = settings(tokens)
    values["loop"] |= {"skip": {}, "steps": 4}
    answers = iter([True, True, True, False])
    monkeypatch.setattr(SpikeSkipper, "__call__", lambda *_: next(answers))
    late = run(RunConfig.model_validate(values), tmp_path / "late")
    assert [row.get("skipped") for row in read_progress(late)[1:]] == [1, 1, 1, 0]
    plain = InstanceBatches.at
    monkeypatch.setattr(SpikeSkipper, "__call__", lambda *_: False)
    monkeypatch.setattr(InstanceBatches, "at", lambda self, step: plain(self, step + 3))
    values["loop"]["steps"] = 1
    alone = biases(run(RunConfig.model_validate(values), tmp_path / "alone"))
    assert any(bias.any() for bias in alone.values())
    for name, bias in biases(late).items():
        np.testing.assert_array_equal(bias, alone[name])


@pytest.mark.slow
@pytest.mark.parametrize("experts", [1, 2])
def test_biases_of_two_processes_are_those_of_one(
    experts: int, tokens: dict[str, Path], tmp_path: Path
) -> None:
    values = settings(tokens)
    one = run(RunConfig.model_validate(values), tmp_path / "one")
    finished(start({**values, "parallel": {"experts": experts}}, tmp_path / "two"))
    wanted = biases(one)
    for name, bias in biases(tmp_path / "two").items():
        np.testing.assert_allclose(bias, wanted[name], atol=1e-6)
