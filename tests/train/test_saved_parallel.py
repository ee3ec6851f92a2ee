"""A model that is spread over processes is written and read tensor by tensor, as by one process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from train.torchrun import WORDS

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not torch.distributed.is_available(), reason="no torch.distributed here"),
]

SAVED = """
import gc, sys, weakref
from pathlib import Path
import torch
from olmeda.artifacts.checkpoint import Checkpoint
from olmeda.model import hf
from olmeda.model.config import ModelConfig
from olmeda.model.transformer import Transformer
from olmeda.train.first_weights import Drawn, Stored
from olmeda.train.parallel import ParallelConfig, local, placed_state, whole
from olmeda.train.world import joined

home, tokenizer = Path(sys.argv[1]), Path(sys.argv[2])
shape = dict(vocab_size=402, width=16, layers=2, heads=2, mlp_width=24, sequence=32,
             norm_place="before", experts={"count": 4, "chosen": 2, "bias_rate": 0.01})
config = ModelConfig(**shape)

def counting(tensor):
    assert sum(one() is not None for one in seen) <= 1, "more than one whole tensor is held"
    value = whole(tensor)
    seen.append(weakref.ref(value))
    return value

with joined(60) as world:
    if world.is_first:
        hf.save(Transformer.initialised(config, 3), home / "one", tokenizer, shard_bytes=9000)
    for kind, experts in (("fsdp", 1), ("fsdp", 2), ("ddp", 2), ("ddp", 1)):
        parallel = ParallelConfig(kind=kind, experts=experts)
        model = parallel.begin(Drawn(config, 3), world, lambda _: None)
        seen = []
        out = home / f"{kind}-{experts}"
        hf.save(model, out, tokenizer, state=placed_state(model), whole=counting,
                shard_bytes=9000, writes=world.is_first)
        assert len(seen) == len(model.state_dict())
        again = parallel.begin(Stored(config, Checkpoint.open(home / "one")), world, lambda _: None)
        for name, value in placed_state(again).items():
            assert torch.equal(local(value), local(placed_state(model)[name])), (kind, name)
"""


def test_a_spread_model_is_saved_and_read_as_by_one_process_with_one_whole_tensor_in_memory(
    tokens: dict[str, Path], tmp_path: Path
) -> None:
    (tmp_path / "saved.py").write_text(SAVED)
    tokenizer = tokens["tokens"].parent / "tokenizer"
    for name in ("one", "fsdp-1", "fsdp-2", "ddp-2", "ddp-1"):
        (tmp_path / name).mkdir()
    launcher = [sys.executable, *WORDS, "2", str(tmp_path / "saved.py"), str(tmp_path)]
    done = subprocess.run([*launcher, str(tokenizer)], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    files = sorted(p.name for p in (tmp_path / "one").iterdir())
    assert sum(name.endswith(".safetensors") for name in files) > 2
    for name in ("fsdp-1", "fsdp-2", "ddp-2", "ddp-1"):
        assert sorted(p.name for p in (tmp_path / name).iterdir()) == files
        for file in files:
            theirs = (tmp_path / "one" / file).read_bytes()
            assert (tmp_path / name / file).read_bytes() == theirs, (name, file)
