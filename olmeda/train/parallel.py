"""How a model lies over the processes of a world: whole in each, or sharded (FSDP2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor, Replicate, Shard

from olmeda.base.config import Config
from olmeda.base.errors import ConfigError
from olmeda.model.experts.parallel import spread_experts, spread_parameters
from olmeda.model.transformer import Transformer
from olmeda.train.first_weights import FirstWeights
from olmeda.train.world import World


class ParallelConfig(Config, frozen=True):
    """What several processes do with one model; alone, nothing of this holds."""

    kind: Literal["ddp", "fsdp"] = "ddp"
    """``ddp``: every process holds the whole model; ``fsdp``: a share of every tensor, of its
    gradient and of what the optimiser knows of it."""
    gather: Literal["micro_batch", "step"] = "micro_batch"
    """With fsdp, how often blocks are put together and gradients shared out: for each micro-batch,
    or once a step, with the whole model and its whole gradient in each process in between."""
    experts: Annotated[int, Field(ge=1)] = 1
    """Over how many processes the experts of a layer are spread, tokens travelling to them."""
    timeout_seconds: Annotated[float, Field(gt=0)] = 600.0
    """How long a process waits for another one before it ends and says so."""

    @model_validator(mode="after")
    def _gathers_what_is_sharded(self) -> Self:
        if self.gather == "step" and self.kind != "fsdp":
            raise ValueError("gather: step goes with kind: fsdp; with ddp models are whole anyway")
        return self

    def place(self, model: Transformer, world: World) -> None:
        """Bring ``model`` to the device of the world and lay it over the processes, in place.

        Raises ConfigError where the experts cannot be spread.
        """
        model.to(world.device)
        if world.size > 1:
            self._share_out(model, world)

    def _share_out(self, model: Transformer, world: World) -> None:
        if self.experts > 1:
            spread(model, world, self.experts)
        if self.kind == "fsdp":
            shard(model, world)

    def begin(
        self, weights: FirstWeights, world: World, apply: Callable[[Transformer], None]
    ) -> Transformer:
        """A model with its first weights, placed; ``apply`` changes it before that.

        Where processes share a model none of them ever holds all of it.
        """
        if self.experts > 1 and weights.config.experts is None:
            raise ConfigError(
                f"parallel.experts={self.experts}: the model has no experts; leave it out"
            )
        if world.size == 1 or (self.kind == "ddp" and self.experts == 1):
            model = weights.model()
            apply(model)
            self.place(model, world)
            return model
        with torch.device("meta"):
            model = Transformer(weights.config)
        apply(model)
        self._share_out(model, world)
        model.to_empty(device=world.device)
        model.fill_tables()
        _fill_parts(model, weights)
        return model


@torch.no_grad()
def _fill_parts(model: Transformer, weights: FirstWeights) -> None:
    """Take one whole parameter after the other, and keep this process's part."""
    state = placed_state(model)
    for name, value in weights.one_by_one():
        part = state.pop(name)
        local(part).copy_(local(laid_as(value, part)))
    for unset in state.values():
        unset.zero_()


def spread(model: Transformer, world: World, experts: int) -> None:
    """Leave each process its part of the experts; ``world.size / experts`` hold the same part."""
    if world.size % experts:
        raise ConfigError(
            f"parallel.experts={experts} does not divide the {world.size} processes; take a divisor"
        )
    kind = torch.device(world.device).type
    names = ("replicas", "experts")
    mesh = init_device_mesh(kind, (world.size // experts, experts), mesh_dim_names=names)
    spread_experts(model, mesh.get_group("experts"))
    for _, _, exchange in spread_parameters(model):
        exchange.mesh = mesh


def shard(model: Transformer, world: World) -> None:
    """Shard every block, and what is left, over the processes; gradients are summed, not averaged.

    Parameters become DTensors; they are whole only while their block computes. Experts that are
    spread already stay as they are.
    """
    mesh = init_device_mesh(torch.device(world.device).type, (world.size,))
    spread_ones = {param for _, param, _ in spread_parameters(model)}
    again = False if world.gathers_once else None  # None: as torch does, of all but the last part
    for part in (*model.blocks, model):
        fully_shard(part, mesh=mesh, ignored_params=spread_ones, reshard_after_forward=again)
    for sharded in _sharded_parts(model):
        sharded.set_gradient_divide_factor(1.0)  # the step divides by the units of the whole world
        sharded.set_force_sum_reduction_for_comms(True)  # gloo knows no other


def share_gradients(model: nn.Module, now: bool) -> None:
    """Whether the next backward pass shares out the gradients of a sharded model, and the model.

    Otherwise both stay whole where they are, for another micro-batch.
    """
    assert isinstance(model, FSDPModule)
    model.set_requires_gradient_sync(now)
    model.set_reshard_after_backward(now)


def spread_meshes(model: nn.Module) -> dict[str, DeviceMesh]:
    """The mesh, replicas by experts, of each parameter of which only some experts are here."""
    found = {name: exchange.mesh for name, _, exchange in spread_parameters(model)}
    return {name: mesh for name, mesh in found.items() if mesh is not None}


def as_part(tensor: Tensor, mesh: DeviceMesh) -> DTensor:
    """A process's own experts as its part of all of them; the memory is shared."""
    return DTensor.from_local(tensor, mesh, [Replicate(), Shard(0)], run_check=False)


def placed_state(model: nn.Module) -> dict[str, Tensor]:
    """The model's parameters and buffers by name, each knowing which part of the whole it is."""
    settle(model)
    meshes = spread_meshes(model)
    return {
        name: as_part(value.detach(), meshes[name]) if name in meshes else value.detach()
        for name, value in model.state_dict().items()
    }


def is_sharded(model: nn.Module) -> bool:
    """Whether ``shard`` was called on the model."""
    return isinstance(model, FSDPModule)


def settle(model: nn.Module) -> None:
    """Give back the whole parameters that a forward pass without a backward one left behind."""
    for part in _sharded_parts(model):
        part.reshard()


def whole(tensor: Tensor) -> Tensor:
    """A tensor gathered from its shards, the same on every process; itself where it is whole."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def local(tensor: Tensor) -> Tensor:
    """This process's share of a tensor."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def laid_as(value: Tensor, param: Tensor) -> Tensor:
    """A whole tensor, the same on every process, on the device of ``param`` and sharded as it."""
    value = value.to(param.device)
    if not isinstance(param, DTensor):
        return value
    everywhere = [Replicate()] * param.device_mesh.ndim
    held = DTensor.from_local(value, param.device_mesh, everywhere, run_check=False)
    return held.redistribute(param.device_mesh, param.placements)


def _sharded_parts(model: nn.Module) -> list[FSDPModule]:
    return [module for module in model.modules() if isinstance(module, FSDPModule)]
