"""What the loop offers, in two processes that share a model, against one process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from olmeda.train.run import RunConfig, run
from olmeda.train.start import OPTIMIZER
from train.conftest import MODELS
from train.torchrun import finished, start

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not torch.distributed.is_available(), reason="no torch.distributed here"),
]
LOOP = {"steps": 8, "batch_tokens": 256, "batch_schedule": [{"after": 4, "tokens": 128}],
        "sequence_schedule": [{"after": 0, "tokens": 16}, {"after": 2, "tokens": 32}],
        "micro_tokens": 64, "sequence": 32, "lr": 0.01, "warmup": 2, "skip": {}}  # fmt: skip


def assert_near(a: Path, b: Path) -> None:
    for file in ("model.safetensors", OPTIMIZER):
        one, other = load_file(a / file), load_file(b / file)
        assert sorted(one) == sorted(other)
        for name, value in one.items():
            np.testing.assert_allclose(value, other[name], rtol=1e-3, atol=1e-5, err_msg=name)


@pytest.mark.parametrize(
    ("parallel", "model", "optim"),
    [
        ({"kind": "fsdp"}, "dense", "muon"),
        ({"kind": "fsdp", "experts": 2}, "moe", "adamw"),
        ({"kind": "fsdp", "experts": 2, "gather": "step"}, "moe", "muon"),
    ],
)
def test_stages_sizes_and_recomputed_blocks_are_the_same_in_two_processes(
    parallel: dict[str, Any], model: str, optim: str, tokens: dict[str, Path], tmp_path: Path
) -> None:
    values: dict[str, Any] = {
        "tokens": tokens["tokens"], "model": MODELS[model], "seed": 3, "parallel": parallel,
        "loop": {**LOOP, "optim": {"kind": optim}}, "keep_optimizer": True,
        "compute": {"device": "cpu", "recompute": 1},
    }  # fmt: skip
    one = run(RunConfig.model_validate(values), tmp_path / "one")
    finished(start(values, tmp_path / "two"))
    assert_near(one, tmp_path / "two")
    values |= {"start": one, "start_optimizer": True}
    alone = run(RunConfig.model_validate(values), tmp_path / "alone")
    finished(start(values, tmp_path / "together"))
    assert_near(alone, tmp_path / "together")
