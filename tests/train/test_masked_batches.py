"""Rows of which nothing counts, as masked instances are, leave training as it is."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from olmeda.artifacts.checkpoint import read_progress
from olmeda.tokens.data_config import DataConfig
from olmeda.train.run import RunConfig, run
from train.conftest import MODELS

LOOP = {"steps": 8, "batch_tokens": 128, "micro_tokens": 32, "sequence": 32, "lr": 0.01}


@pytest.mark.parametrize("shape", ["dense", "moe"])
@pytest.mark.parametrize("attention", ["row", "document"])
def test_micro_batches_that_are_masked_whole_add_nothing(
    shape: str, attention: str, tokens: dict[str, Path], tmp_path: Path
) -> None:
    data: dict[str, Any] = {"repeats": {"longest": 1, "times": 2}, "attention": attention}
    values = {"tokens": tokens["tokens"], "model": MODELS[shape], "loop": LOOP, "data": data}
    made = run(RunConfig.model_validate(values), tmp_path / "made")
    losses = [row["loss"] for row in read_progress(made) if "loss" in row]
    assert len(losses) == 8
    assert all(math.isfinite(loss) and 0 < loss < 8 for loss in losses)


@pytest.mark.parametrize("shape", ["dense", "moe"])
def test_a_step_of_which_nothing_counts_has_no_loss_and_the_run_goes_on(
    shape: str, tokens: dict[str, Path], tmp_path: Path
) -> None:
    loop = {**LOOP, "steps": 30, "batch_tokens": 32}
    data = DataConfig.model_validate({"repeats": {"longest": 1, "times": 2}})
    values = {"tokens": tokens["tokens"], "model": MODELS[shape], "loop": loop, "data": data}
    made = run(RunConfig.model_validate(values), tmp_path / "made")
    losses = [row["loss"] for row in read_progress(made) if "loss" in row]
    assert len(losses) == 30
    assert 0.0 in losses
    assert all(math.isfinite(loss) for loss in losses)
