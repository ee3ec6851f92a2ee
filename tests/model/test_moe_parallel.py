"""Experts spread over two processes compute, forward and backward, what one process does."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from torch import multiprocessing

from model.conftest import TINY
from olmeda.base.errors import ConfigError
from olmeda.model.config import ModelConfig, load_preset
from olmeda.model.experts.parallel import spread_experts, spread_parameters
from olmeda.model.loss import lm_loss
from olmeda.model.transformer import Transformer

SIZE = 2


def config(**experts: object) -> ModelConfig:
    chosen = {"count": 8, "chosen": 2, "shared": 1, **experts}
    return load_preset("tour-moe", **TINY, mlp_width=24, experts=chosen)


def objective(model: Transformer, ids: torch.Tensor) -> torch.Tensor:
    found = lm_loss(model, ids[:, :-1], ids[:, 1:])
    return found.nll_sum + 0.1 * found.router_z * len(ids)


def rows() -> torch.Tensor:
    return torch.randint(0, 96, (3, 17), generator=torch.Generator().manual_seed(1))


def one_of_two(rank: int, folder: Path, path: list[str]) -> None:
    """Compute this process's rows; the first one saves what all found together."""
    sys.path[:] = path
    dist.init_process_group(
        "gloo", store=dist.FileStore(str(folder / "store"), SIZE), rank=rank, world_size=SIZE
    )
    model = Transformer.initialised(config(), 7)
    assert dist.group.WORLD is not None
    spread_experts(model, dist.group.WORLD)
    assert model.get_parameter("blocks.0.mlp.down").shape[0] == 4
    mine = rows()[:1] if rank == 0 else rows()[1:]  # of different size: nothing may assume more
    loss = objective(model, mine)
    loss.backward()
    dist.all_reduce(total := loss.detach().clone())
    spread = {name: exchange for name, _, exchange in spread_parameters(model)}
    gradients, weights = {}, {}
    for name, param in model.named_parameters():
        assert param.grad is not None
        if name in spread:
            gradients[name] = spread[name].whole(param.grad)
            weights[name] = spread[name].whole(param.detach())
        else:
            dist.all_reduce(param.grad)
            gradients[name], weights[name] = param.grad, param.detach()
    if rank == 0:
        torch.save((total, gradients, weights), folder / "found.pt")
    dist.destroy_process_group()


def test_two_processes_equal_one(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    workers = [
        context.Process(target=one_of_two, args=(rank, tmp_path, sys.path)) for rank in range(SIZE)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    loss, gradients, weights = torch.load(tmp_path / "found.pt")
    model = Transformer.initialised(config(), 7)
    wanted = sum(objective(model, part) for part in (rows()[:1], rows()[1:]))
    assert isinstance(wanted, torch.Tensor)
    wanted.backward()
    torch.testing.assert_close(loss, wanted.detach())
    for name, param in model.named_parameters():
        assert torch.equal(weights[name], param.detach()), name
        torch.testing.assert_close(gradients[name], param.grad, rtol=1e-4, atol=1e-5, msg=name)


def test_experts_that_cannot_be_spread_evenly_are_refused(tmp_path: Path) -> None:
    store = dist.FileStore(str(tmp_path / "store"), 1)
    dist.init_process_group("gloo", store=store, rank=0, world_size=1)
    try:
        group = dist.group.WORLD
        assert group is not None
        model = Transformer.initialised(config(), 7)
        spread_experts(model, group)
        ids = rows()
        alone = Transformer.initialised(config(), 7)
        torch.testing.assert_close(objective(model, ids), objective(alone, ids))
        model.blocks[0].mlp.count = 7
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(dist, "get_world_size", lambda _: 2)
            with pytest.raises(ConfigError, match="spread evenly over 2 processes"):
                spread_experts(model, group)
    finally:
        dist.destroy_process_group()
