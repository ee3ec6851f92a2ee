"""What an interrupted run goes on from: weights, optimiser, place in the data, random numbers.

Layout, below an artifact in the making. ``state.json`` is written last, so that a folder without it
is none, and a crash at any moment leaves the states before::

    resume/step-00000080/state.json
    resume/step-00000080/state.safetensors     model.<name>, optim.<n>.<name>.<key>, rng.<rank>,
                                               monitor.<name>

Several processes write shards by torch.distributed.checkpoint, ``shard-00001-….safetensors``, each
tensor with its place in the whole. Either is read by any number of processes: each takes its share.
"""

from __future__ import annotations

import contextlib
import functools
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import torch
from safetensors import SafetensorError
from torch import Tensor, nn
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.hf_storage import HuggingFaceStorageReader
from torch.distributed.checkpoint.metadata import TensorStorageMetadata
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.tensor import DTensor

from olmeda.artifacts.unfinished import RESUME
from olmeda.base.errors import ArtifactError, InputError
from olmeda.base.files import fsync_folder, read_json, remove_tree
from olmeda.model.experts.bias import forget_visits
from olmeda.train.duration import Position
from olmeda.train.parallel import as_part, local, placed_state, spread_meshes
from olmeda.train.world import ALONE, World

FOLDER = RESUME
INDEX = "state.json"


class Skipped(msgspec.Struct, frozen=True):
    """Steps whose batches were passed over after the loss was no number: ``first .. last``."""

    first: int
    last: int


class SavedState(msgspec.Struct, frozen=True):
    """The content of ``state.json``: the place in training that the tensors beside it belong to."""

    steps: int
    tokens: int
    epochs: float
    order_digest: str
    progress_bytes: int
    skipped: tuple[Skipped, ...] = ()
    files: dict[str, str] = {}
    """The xxh3-128 digest of every file beside ``state.json``."""

    @property
    def position(self) -> Position:
        """Where training was when this was saved."""
        return Position(self.steps, self.tokens, self.epochs)

    @property
    def folder(self) -> str:
        """The name of its folder."""
        return f"step-{self.steps:08d}"


def saved_states(folder: Path) -> list[SavedState]:
    """The states in ``folder`` whose ``state.json`` can be read, the newest last."""
    held = []
    for file in sorted(folder.glob(f"step-*/{INDEX}")):
        with contextlib.suppress(InputError):
            held.append(read_json(file, SavedState))
    return held


def newest_state(folder: Path) -> SavedState | None:
    """The newest of ``saved_states``; None where there is none. Its files are not read."""
    held = saved_states(folder)
    return held[-1] if held else None


def drop(folder: Path, state: SavedState) -> None:
    """Remove one state; a crash on the way leaves no half of it that looks whole."""
    home = folder / state.folder
    (home / INDEX).unlink(missing_ok=True)
    fsync_folder(home)
    remove_tree(home)


def drop_unfinished(folder: Path) -> None:
    """Remove what a killed process had begun to save."""
    for home in sorted(folder.glob("step-*")):
        if not (home / INDEX).is_file():
            remove_tree(home)


@dataclass(frozen=True)
class Trained:
    """What a state is of. ``memory``: what monitors remember, by name."""

    model: nn.Module
    optimizers: Sequence[torch.optim.Optimizer]
    order_digest: str
    memory: Mapping[str, Tensor] = field(default_factory=dict)
    world: World = ALONE


def captured(trained: Trained) -> dict[str, Tensor]:
    """Everything that the next step depends on, by name; not copied."""
    tensors = _targets(trained)
    names = _names(trained.model)
    for number, optimizer in enumerate(trained.optimizers):
        tensors |= dict(_optimizer_tensors(optimizer, names, f"optim.{number}"))
    for param, mesh in spread_meshes(trained.model).items():
        shape = trained.model.get_parameter(param).shape
        for name in [n for n in tensors if n.startswith("optim.") and _param_of(n) == param]:
            if tensors[name].shape == shape:
                tensors[name] = as_part(tensors[name], mesh)
    return tensors | _random_numbers(trained.world)


def restore(folder: Path, state: SavedState, trained: Trained) -> None:
    """Put a saved state into the model, the optimisers, torch's random numbers and the memory.

    Raises ArtifactError when the data is ordered otherwise or the tensors do not fit.
    """
    home, world = folder / state.folder, trained.world
    if state.order_digest != trained.order_digest:
        raise ArtifactError(
            f"{home}: saved for another order of the data; choose another output, or go on with "
            "the tokens and the version of olmeda that it had"
        )
    targets = _targets(trained)
    with _readable(home):
        reader = HuggingFaceStorageReader(str(home))
        about = reader.read_metadata().state_dict_metadata
        held = {n: m for n, m in about.items() if isinstance(m, TensorStorageMetadata)}
    for name, target in targets.items():
        if name not in held or held[name].size != target.shape:
            named = name.removeprefix("model.")
            raise ArtifactError(f"{home}: does not fit the model at {named}; choose another output")
    params = placed_state(trained.model)
    rooms = {n: _room(n, m, params) for n, m in held.items() if n.startswith("optim.")}
    random = _random_numbers(world)
    rooms |= {name: torch.empty_like(v) for name, v in random.items() if name in held}
    with _readable(home):
        alone, line = world.size == 1, world.saving
        held_all = {**targets, **rooms}
        load(held_all, storage_reader=reader, no_dist=alone, process_group=line)
    for number, optimizer in enumerate(trained.optimizers):
        _fill_optimizer(optimizer, _names(trained.model), rooms, f"optim.{number}")
    _set_random_numbers(rooms, world)
    forget_visits(trained.model)


def _targets(trained: Trained) -> dict[str, Tensor]:
    """What is there before the first step, and is filled in place."""
    tensors = {f"model.{name}": value for name, value in placed_state(trained.model).items()}
    return tensors | {f"monitor.{name}": value for name, value in trained.memory.items()}


def _names(model: nn.Module) -> dict[int, str]:
    return {id(param): name for name, param in model.named_parameters()}


def _optimizer_tensors(
    optimizer: torch.optim.Optimizer, names: Mapping[int, str], prefix: str
) -> Iterator[tuple[str, Tensor]]:
    for group in optimizer.param_groups:
        for param in group["params"]:
            for key, value in optimizer.state.get(param, {}).items():
                yield f"{prefix}.{names[id(param)]}.{key}", value


def _fill_optimizer(
    optimizer: torch.optim.Optimizer,
    names: Mapping[int, str],
    tensors: Mapping[str, Tensor],
    prefix: str,
) -> None:
    """Fill the optimiser's state; rates and other settings come from the configuration."""
    optimizer.state.clear()
    held: dict[str, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        if name.startswith(f"{prefix}."):
            param, _, key = name.removeprefix(f"{prefix}.").rpartition(".")
            held.setdefault(param, {})[key] = value
    for group in optimizer.param_groups:
        for param in group["params"]:
            values = held.get(names[id(param)], {})
            if not isinstance(param, DTensor):  # of spread experts, the process's own
                values = {key: local(value) for key, value in values.items()}
            if values:
                optimizer.state[param] = values


def _room(name: str, about: TensorStorageMetadata, params: Mapping[str, Tensor]) -> Tensor:
    """Where a tensor of the optimiser goes: sharded as its parameter, if it has the same shape."""
    dtype = about.properties.dtype
    param = params.get(_param_of(name))
    if param is not None and param.shape == about.size:
        return torch.empty_like(param, dtype=dtype)
    # a fused optimiser counts its steps where the parameter is
    return torch.empty(about.size, dtype=dtype, device="cpu" if param is None else param.device)


def _param_of(name: str) -> str:
    """The parameter that ``optim.<n>.<parameter>.<key>`` belongs to."""
    return name.split(".", 2)[2].rpartition(".")[0]


def random_numbers_of(rank: int) -> tuple[str, str]:
    """The names of a process's random numbers: of its CPU, and of its device."""
    return f"rng.{rank}", f"rng.{rank}.cuda"


def _random_numbers(world: World) -> dict[str, Tensor]:
    """The state of torch's random numbers; every process has its own."""
    own, of_device = random_numbers_of(world.rank)
    held = {own: torch.get_rng_state()}
    if world.device.startswith("cuda"):
        held[of_device] = torch.cuda.get_rng_state()
    return held


def _set_random_numbers(tensors: Mapping[str, Tensor], world: World) -> None:
    """A process that the saved world did not have keeps the numbers its seed gave it."""
    own, of_device = random_numbers_of(world.rank)
    if own in tensors:
        torch.set_rng_state(tensors[own])
    if of_device in tensors:
        torch.cuda.set_rng_state(tensors[of_device])


@contextlib.contextmanager
def _readable(home: Path) -> Iterator[None]:
    """Turn what is wrong with the files into ArtifactError."""
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="torch.distributed is disabled")
            yield
    except (SafetensorError, OSError, KeyError, CheckpointException) as problem:
        told = str(problem).strip().rpartition("\n")[2]
        raise ArtifactError(f"{home}: cannot be read ({told}); remove {home}") from None


def on_cpu(tensor: Tensor, copied: bool) -> Tensor:
    """A tensor on the CPU, sharded as it is; ``copied``: never the same memory."""
    held = tensor.to_local() if isinstance(tensor, DTensor) else tensor
    moved = held.detach().to("cpu", copy=copied)
    if not isinstance(tensor, DTensor):
        return moved
    mesh = _cpu_mesh(tensor.device_mesh)
    return DTensor.from_local(
        moved, mesh, tensor.placements, run_check=False, shape=tensor.shape, stride=tensor.stride()
    )


@functools.cache
def _cpu_mesh(mesh: DeviceMesh) -> DeviceMesh:
    """The processes of a mesh, as a mesh of CPUs; made once, for it opens lines between them."""
    if mesh.device_type == "cpu":
        return mesh
    return init_device_mesh("cpu", tuple(mesh.shape))
