"""What two processes measure together is what one measures."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from olmeda.artifacts.checkpoint import read_progress
from olmeda.train.run import RunConfig, run
from train.conftest import MODELS
from train.torchrun import finished, start

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not torch.distributed.is_available(), reason="no torch.distributed here"),
]

EXACT = ("step", "tokens", "load", "coactivation", "saturation", "spike_rate")
SCORES = 2e-3
"""A score divides small differences by the small spread of few steps."""


def figures(name: str, value: Any) -> Iterator[tuple[str, float]]:
    """Every single figure of a row, by the name of its measure."""
    inner = value.values() if isinstance(value, dict) else value
    if isinstance(value, (dict, list)):
        for one in inner:
            yield from figures(name, one)
    else:
        yield name, value


@pytest.mark.parametrize(
    "parallel",
    [
        {"kind": "ddp"},
        {"kind": "fsdp"},
        {"kind": "ddp", "experts": 2},
        {"kind": "fsdp", "experts": 2},
    ],
    ids=str,
)
def test_measures_do_not_depend_on_the_number_of_processes(
    parallel: dict[str, Any], tokens: dict[str, Path], tmp_path: Path
) -> None:
    loop = {"steps": 12, "batch_tokens": 128, "micro_tokens": 64, "sequence": 32, "lr": 0.01,
            "warmup": 2}  # fmt: skip
    values = {
        **tokens,
        "model": MODELS["moe"],
        "loop": loop,
        "probe": {"every": 6, "tokens": 300, "routes": 64},
        "monitor": {"gradients": 4, "spike_window": 4},
        "parallel": parallel,
        "seed": 3,
    }
    finished(start(values, tmp_path / "two"))
    alone = run(RunConfig.model_validate({**values, "parallel": {}}), tmp_path / "one")
    for ours, theirs in zip(read_progress(alone), read_progress(tmp_path / "two"), strict=True):
        assert list(ours) == list(theirs)
        for name in ours:
            assert_near(name, list(figures(name, ours[name])), list(figures(name, theirs[name])))
    launches = (tmp_path / "two/journal/launches.jsonl").read_text().splitlines()
    assert [json.loads(line)["processes"] for line in launches] == [2], "one process writes"


def assert_near(name: str, ours: list[tuple[str, float]], theirs: list[tuple[str, float]]) -> None:
    most = 0.0 if name.startswith(EXACT) else SCORES if name.startswith("spike/") else 1e-5
    assert len(ours) == len(theirs), name
    for (_, a), (_, b) in zip(ours, theirs, strict=True):
        assert abs(a - b) <= most * max(1.0, abs(a)), (name, a, b)
