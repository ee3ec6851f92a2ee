"""What an interrupted run goes on from: weights, optimiser, place in the data, random numbers.

Layout, below an artifact in the making; ``state.json`` is replaced last and names its tensors, so
a crash at any moment leaves the state before or the state after::

    resume/state.json
    resume/state-00000080.safetensors     model.<name>, optim.<n>.<index>.<key>, rng,
                                          monitor.<name>
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from olmeda.base.errors import ArtifactError
from olmeda.base.files import atomic_write, read_json, remove_tree, write_json
from olmeda.train.duration import Position

FOLDER = "resume"
_INDEX = "state.json"


class SavedState(msgspec.Struct, frozen=True):
    """The content of ``state.json``: the place in training and the files that go with it."""

    tensors: str
    steps: int
    tokens: int
    epochs: float
    order_digest: str
    progress_bytes: int

    @property
    def position(self) -> Position:
        """Where training was when this was saved."""
        return Position(self.steps, self.tokens, self.epochs)


def save_state(
    folder: Path,
    model: nn.Module,
    optimizers: Sequence[torch.optim.Optimizer],
    position: Position,
    order_digest: str,
    progress_bytes: int,
    memory: Mapping[str, Tensor] | None = None,
) -> None:
    """Save everything that the next step depends on; the state before it is removed last.

    ``memory``: what monitors remember, by name.
    """
    held = saved_state(folder)
    state = SavedState(
        f"state-{position.steps:08d}.safetensors",
        position.steps,
        position.tokens,
        position.epochs,
        order_digest,
        progress_bytes,
    )
    with atomic_write(folder / state.tensors) as temporary:
        save_file({**_tensors_of(model, optimizers), **_named(memory)}, temporary)
    write_json(folder / _INDEX, state)
    if held is not None and held.tensors != state.tensors:
        (folder / held.tensors).unlink(missing_ok=True)


def saved_state(folder: Path) -> SavedState | None:
    """The state saved in ``folder``, without its tensors; None where there is none."""
    if not (folder / _INDEX).is_file():
        return None
    found = read_json(folder / _INDEX, SavedState)
    assert isinstance(found, SavedState)
    return found


def restore(
    folder: Path,
    state: SavedState,
    model: nn.Module,
    optimizers: Sequence[torch.optim.Optimizer],
    order_digest: str,
    memory: Mapping[str, Tensor] | None = None,
) -> None:
    """Put a saved state into the model, the optimisers, torch's random numbers and ``memory``.

    Raises ArtifactError when the data is ordered otherwise or the tensors do not fit.
    """
    file = folder / state.tensors
    if state.order_digest != order_digest:
        raise ArtifactError(f"{file}: saved for another order of the data; remove {folder}")
    try:
        tensors = load_file(file)
    except (SafetensorError, OSError) as problem:
        raise ArtifactError(f"{file}: cannot be read ({problem}); remove {folder}") from None
    with torch.no_grad():
        for name, param in model.named_parameters():
            saved = tensors.get(f"model.{name}")
            if saved is None or saved.shape != param.shape:
                raise ArtifactError(f"{file}: does not fit the model at {name}; remove {folder}")
            param.copy_(saved)
        for name, held in _named(memory).items():
            if name not in tensors or tensors[name].shape != held.shape:
                raise ArtifactError(f"{file}: does not hold {name}; remove {folder}")
            held.copy_(tensors[name])
    for number, optimizer in enumerate(optimizers):
        _restore_optimizer(optimizer, tensors, f"optim.{number}")
    torch.set_rng_state(tensors["rng"])


def forget(folder: Path) -> None:
    """Remove the saved state: the run is finished."""
    remove_tree(folder)


def _named(memory: Mapping[str, Tensor] | None) -> dict[str, Tensor]:
    return {f"monitor.{name}": held for name, held in (memory or {}).items()}


def _tensors_of(model: nn.Module, optimizers: Sequence[torch.optim.Optimizer]) -> dict[str, Tensor]:
    tensors = {f"model.{name}": p.detach() for name, p in model.named_parameters()}
    for number, optimizer in enumerate(optimizers):
        tensors |= dict(_optimizer_tensors(optimizer, f"optim.{number}"))
    return {**tensors, "rng": torch.get_rng_state()}


def _optimizer_tensors(
    optimizer: torch.optim.Optimizer, prefix: str
) -> Iterator[tuple[str, Tensor]]:
    for index, values in optimizer.state_dict()["state"].items():
        for key, value in values.items():
            yield f"{prefix}.{index}.{key}", value


def _restore_optimizer(
    optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor], prefix: str
) -> None:
    """Fill the optimiser's state; rates and other settings come from the configuration."""
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        if name.startswith(f"{prefix}."):
            index, key = name.removeprefix(f"{prefix}.").split(".")
            state.setdefault(int(index), {})[key] = value
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})
