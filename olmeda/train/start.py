"""Beginning from a checkpoint instead of fresh weights, with or without its optimiser's state.

A further stage of training (annealing, a longer context) is a run of its own with its own data,
schedule and order. ``optimizer.safetensors`` beside the weights, where a run was told to keep it,
holds ``<optimiser>.<parameter>.<key>``, each tensor whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor, nn

from olmeda.artifacts.checkpoint import Checkpoint
from olmeda.artifacts.tensors import TensorWriter
from olmeda.artifacts.tokenset import TokenSet
from olmeda.base.errors import ArtifactError, ConfigError
from olmeda.base.log import say
from olmeda.model.config import ModelConfig
from olmeda.model.hf_config import from_hf
from olmeda.train.first_weights import Stored
from olmeda.train.parallel import as_part, laid_as, local, spread_meshes, whole

OPTIMIZER = "optimizer.safetensors"
MAY_CHANGE = (
    *("sequence", "rope_theta", "rope_scaling", "window", "full_every"),
    *("z_weight", "init", "init_std", "init_cutoff", "zero_out"),
)
"""Fields that another stage of training may set anew: of the context, and of training alone."""
EXPERTS_MAY_CHANGE = ("balance_weight", "z_weight", "balance_over", "bias_rate")


def stored_config(path: Path) -> ModelConfig:
    """The model of which the checkpoint ``path`` holds the weights."""
    return from_hf(Checkpoint.open(path).config, str(path / "config.json"))


def stored_weights(path: Path, config: ModelConfig, tokens: TokenSet) -> Stored:
    """The weights of the checkpoint ``path``, to be trained on as a model of ``config``.

    Raises ConfigError where the weights were trained as another model, ArtifactError where they
    were trained with another tokenizer than that of ``tokens``.
    """
    checkpoint = Checkpoint.open(path)
    tokens.require_tokenizer(checkpoint.tokenizer_digest(), str(path))
    require_same_model(stored_config(path), config, path)
    return Stored(config, checkpoint)


def require_same_model(held: ModelConfig, wanted: ModelConfig, path: Path) -> None:
    """Raise ConfigError unless the two differ in what a stage of training may change alone."""
    before, changed = _fields(held), []
    for name, value in _fields(wanted).items():
        if value == before.get(name):
            continue
        if name not in MAY_CHANGE and name.removeprefix("experts.") not in EXPERTS_MAY_CHANGE:
            raise ConfigError(
                f"model.{name} is {value}, but the weights of {path} were trained with "
                f"{before.get(name)}; describe the same model, or start from other weights"
            )
        changed.append(f"{name} {before.get(name)} -> {value}")
    if changed:
        say(f"{path}: trained on with other settings: {', '.join(changed)}")


def _fields(config: ModelConfig) -> dict[str, object]:
    """Every field by name, with what those say that were left to others."""
    experts: dict[str, object] = {"count": 0}
    if config.experts is not None:
        experts = config.experts.model_dump() | {"dense_width": config.dense_width}
    return {
        **config.model_dump(exclude={"experts"}),
        "kv_heads": config.key_heads,
        "head_dim": config.head_width,
        **{f"experts.{name}": value for name, value in experts.items()},
    }


def write_optimizer(
    folder: Path,
    model: nn.Module,
    optimizers: Sequence[torch.optim.Optimizer],
    *,
    writes: bool = True,
) -> None:
    """Write what the optimisers know into ``folder``, one tensor made whole after the other.

    Every process of a sharded model calls it; those without ``writes`` only help.
    """
    held = dict(_states(model, optimizers))
    if not writes:
        for value in held.values():
            whole(value)
        return
    layout = {name: ("F32", tuple(value.shape)) for name, value in held.items()}
    with TensorWriter(folder / OPTIMIZER, layout) as out:
        for name, value in held.items():
            out.write(name, whole(value).detach().cpu().float().numpy())


def take_optimizer(
    path: Path, model: nn.Module, optimizers: Sequence[torch.optim.Optimizer]
) -> None:
    """Fill the optimisers from the checkpoint ``path``; rates come from the configuration.

    Raises ArtifactError where it keeps none, or that of other optimisers.
    """
    file = path / OPTIMIZER
    if not file.is_file():
        raise ArtifactError(
            f"{path}: keeps no state of its optimiser; train it with keep_optimizer=true, or go on "
            "without one: start_optimizer=false"
        )
    names = {id(param): name for name, param in model.named_parameters()}
    meshes = spread_meshes(model)
    with safe_open(file, framework="pt") as tensors:
        held: dict[str, dict[str, str]] = {}
        for name in tensors.keys():  # noqa: SIM118 (no dict)
            param, _, key = name.rpartition(".")
            held.setdefault(param, {})[key] = name
        for number, optimizer in enumerate(optimizers):
            for param in [p for group in optimizer.param_groups for p in group["params"]]:
                # a parameter that never had a gradient has no state
                mesh = meshes.get(names[id(param)])
                like = param if mesh is None else as_part(param.detach(), mesh)
                for key, name in held.pop(f"{number}.{names[id(param)]}", {}).items():
                    value = _placed(tensors.get_tensor(name), like, f"{file}: {name}")
                    optimizer.state[param][key] = value if mesh is None else local(value)
            if not optimizer.state:
                held["nothing of one optimiser"] = {}
    if held:
        raise ArtifactError(
            f"{file}: is of other optimisers or parameters ({next(iter(held))}); say the same "
            "loop.optim as the run that kept it, or start_optimizer=false"
        )


def _placed(value: Tensor, param: Tensor, where: str) -> Tensor:
    """A whole tensor of the optimiser, or a count of steps, where its parameter is."""
    if value.ndim == 0:
        return value.to(param.device)
    if value.shape != param.shape:
        raise ArtifactError(
            f"{where} is {list(value.shape)}, but the parameter {list(param.shape)}"
        )
    return laid_as(value, param)


def _states(
    model: nn.Module, optimizers: Sequence[torch.optim.Optimizer]
) -> Iterator[tuple[str, Tensor]]:
    names = {id(param): name for name, param in model.named_parameters()}
    meshes = spread_meshes(model)
    for number, optimizer in enumerate(optimizers):
        for param in [p for group in optimizer.param_groups for p in group["params"]]:
            mesh = meshes.get(names[id(param)])
            for key, value in optimizer.state.get(param, {}).items():
                part = mesh is not None and value.shape == param.shape
                placed = as_part(value, mesh) if mesh is not None and part else value
                yield f"{number}.{names[id(param)]}.{key}", placed
