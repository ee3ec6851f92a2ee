"""A sharded model that stays whole over the micro-batches of a step: its gradients and its talk."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from pydantic import ValidationError

from olmeda.train.parallel import ParallelConfig
from train.torchrun import WORDS

GATHERED = """
import dataclasses
import torch
import torch.distributed as dist
from olmeda.model.config import ModelConfig
from olmeda.model.transformer import Transformer
from olmeda.train.first_weights import Drawn
from olmeda.train.parallel import ParallelConfig, local, placed_state, whole
from olmeda.train.rows import Rows, language_loss
from olmeda.train.step import accumulate
from olmeda.train.world import ALONE, joined

shape = dict(vocab_size=402, width=16, layers=3, heads=2, mlp_width=24, sequence=32)
config = ModelConfig(**shape)
MICRO = 4
loss = language_loss(config)
calls = []
COUNTED = ("all_gather_single", "reduce_scatter_single")


def counted(name):
    plain = getattr(dist, name)

    def call(*given, **named):
        calls.append(name)
        return plain(*given, **named)

    setattr(dist, name, call)


for name in COUNTED:
    counted(name)
ids = torch.randint(0, 402, (2 * MICRO, 2, 32), generator=torch.Generator().manual_seed(1))
alone = Transformer.initialised(config, 3)
with joined(60) as world:
    accumulate(alone, [Rows(part, part, 64, 64) for part in ids], loss, ALONE)
    wanted = {name: param.grad for name, param in alone.named_parameters()}
    counts, size = {}, max(float(grad.abs().max()) for grad in wanted.values())
    for once in (False, True):
        world = dataclasses.replace(world, gathers_once=once)
        model = ParallelConfig(kind="fsdp").begin(Drawn(config, 3), world, lambda _: None)
        for repeated in range(2):
            calls.clear()
            mine = ids.chunk(2)[world.rank]
            accumulate(model, [Rows(part, part, 64, 64) for part in mine], loss, world)
            counts[once] = [calls.count(name) for name in COUNTED]
            for name, param in model.named_parameters():
                grad = whole(param.grad)
                assert (grad - wanted[name]).abs().max() < 1e-6 * size, (once, name)
                assert local(param).numel() < wanted[name].numel(), "is whole after the step"
            model.zero_grad()
parts = config.layers + 1
assert counts[True] == [parts, parts], counts
assert counts[False] == [MICRO * (2 * config.layers + 1), MICRO * parts], counts
"""


@pytest.mark.slow
@pytest.mark.skipif(not torch.distributed.is_available(), reason="no torch.distributed here")
def test_gathering_once_a_step_gives_the_gradient_of_one_process_and_talks_once(
    tmp_path: Path,
) -> None:
    (tmp_path / "gathered.py").write_text(GATHERED)
    launcher = [sys.executable, *WORDS, "2", str(tmp_path / "gathered.py")]
    done = subprocess.run(launcher, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr


def test_a_model_that_is_whole_anyway_is_not_told_to_stay_so() -> None:
    with pytest.raises(ValidationError, match="gather: step goes with kind: fsdp"):
        ParallelConfig(gather="step")
