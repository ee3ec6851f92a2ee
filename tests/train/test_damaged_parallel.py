"""Two processes take the same state, although only one of them reads the damaged file."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from olmeda.base.files import read_json
from train.conftest import MODELS
from train.torchrun import finished, kill_all, start, wait_for_rows

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not torch.distributed.is_available(), reason="no torch.distributed here"),
]


def test_two_processes_fall_back_together_from_a_damaged_state(
    tokens: dict[str, Path], tmp_path: Path
) -> None:
    loop = {"steps": 80, "batch_tokens": 128, "micro_tokens": 64, "sequence": 32, "lr": 0.01,
            "save_every": 10, "warmup": 2}  # fmt: skip
    values = {**tokens, "model": MODELS["dense"], "loop": loop, "seed": 3,
              "parallel": {"kind": "fsdp"}, "checkpoints": {"keep_last": 2}}  # fmt: skip
    straight, stopped = tmp_path / "straight", tmp_path / "stopped"
    finished(start(values, straight))
    running = start(values, stopped)
    wait_for_rows(stopped, 45, running)
    kill_all(running)
    states = sorted((tmp_path / ".stopped.making" / "resume").glob("step-*/state.json"))
    shards = sorted(states[-1].parent.glob("shard-*"))
    assert set(read_json(states[-1])["files"]) == {shard.name for shard in shards}
    content = bytearray(shards[-1].read_bytes())
    content[-20] ^= 0x40
    shards[-1].write_bytes(content)
    said = finished(start(values, stopped))
    before = int(states[-2].parent.name.removeprefix("step-"))
    assert f"going back to step {before}" in said
    for name in ("model.safetensors", "progress.jsonl"):
        assert (stopped / name).read_bytes() == (straight / name).read_bytes(), name
