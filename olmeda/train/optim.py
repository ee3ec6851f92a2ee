"""Optimisers as recipes name them, with the parameter groups of the published models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from olmeda.base.config import Config
from olmeda.model.attention import Attention
from olmeda.train.muon import Muon, Scale

EMBEDDINGS = ("embed",)
OUTPUTS = ("head", "score", "router")
"""Modules whose rows are classes (words, a reward, experts); Muon leaves them to AdamW."""


@dataclass(frozen=True)
class Parameters:
    """The trainable parameters of a model by the treatment they get, each list in model order."""

    embeddings: list[Tensor]
    vectors: list[Tensor]
    outputs: list[Tensor]
    matrices: list[Tensor]


def sort_parameters(model: nn.Module) -> Parameters:
    """Sort parameters into embeddings, vectors (norms, biases), outputs, and other matrices."""
    found = Parameters([], [], [], [])
    for name, param in model.named_parameters():
        if not param.requires_grad:
            continue
        parts = name.split(".")
        if any(part in EMBEDDINGS for part in parts):
            found.embeddings.append(param)
        elif param.ndim < 2:
            found.vectors.append(param)
        elif any(part in OUTPUTS for part in parts):
            found.outputs.append(param)
        else:
            found.matrices.append(param)
    return found


def stacked_rows(model: nn.Module) -> dict[Tensor, tuple[int, ...]]:
    """The rows of the matrices that lie on top of each other in one parameter, where any do.

    Queries, keys and values share one product, and so do gates and what they let through.
    """
    found: dict[Tensor, tuple[int, ...]] = {}
    for module in model.modules():
        if isinstance(module, Attention):
            found[module.qkv.weight] = tuple(module.widths)
    for name, param in model.named_parameters():
        if name.endswith(("gate_up", "gate_up.weight")):
            found[param] = (param.shape[-2] // 2, param.shape[-2] // 2)
    return found


class AdamW(Config, frozen=True):
    """AdamW with OLMo 2's values: decay on norms and biases, none on embeddings.

    OLMoE decays embeddings too (``decay_embeddings: true``), OLMo 1 neither (``decay_vectors:
    false``, with ``eps: 1e-5``).
    """

    kind: Literal["adamw"] = "adamw"
    betas: tuple[float, float] = (0.9, 0.95)
    eps: Annotated[float, Field(gt=0)] = 1e-8
    weight_decay: Annotated[float, Field(ge=0)] = 0.1
    decay_vectors: bool = True
    decay_embeddings: bool = False

    def build(self, model: nn.Module, lr: float) -> list[torch.optim.Optimizer]:
        """One fused AdamW over the groups decayed and undecayed."""
        found = sort_parameters(model)
        return [self.over(found, [*found.outputs, *found.matrices], lr)]

    def over(
        self, found: Parameters, decayed: Sequence[Tensor], lr: float
    ) -> torch.optim.Optimizer:
        """AdamW over ``decayed``, and over embeddings and vectors as the settings say."""
        with_decay = list(decayed)
        without: list[Tensor] = []
        (with_decay if self.decay_vectors else without).extend(found.vectors)
        (with_decay if self.decay_embeddings else without).extend(found.embeddings)
        groups: list[dict[str, Any]] = [
            {"params": alike, "weight_decay": decay}
            for params, decay in ((with_decay, self.weight_decay), (without, 0.0))
            for alike in _sharded_apart(params)
        ]
        return torch.optim.AdamW(groups, lr=lr, betas=self.betas, eps=self.eps, fused=True)


def _sharded_apart(params: Sequence[Tensor]) -> list[list[Tensor]]:
    """Sharded parameters and others (spread experts): a fused update takes one kind at a time."""
    sharded: list[Tensor] = [p for p in params if isinstance(p, DTensor)]
    others = [p for p in params if not isinstance(p, DTensor)]
    return [kind for kind in (sharded, others) if kind]


class MuonWithAdamW(Config, frozen=True):
    """Muon for matrices inside the blocks, AdamW for the rest, at one learning rate."""

    kind: Literal["muon"] = "muon"
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.95
    nesterov: bool = True
    weight_decay: Annotated[float, Field(ge=0)] = 0.1
    rounds: Annotated[int, Field(ge=1)] = 5
    """Newton-Schulz rounds."""
    scale: Scale = "adamw"
    """``adamw``: updates of AdamW's size, so ``lr`` serves both; ``original``: Keller Jordan's."""
    split: bool = True
    """Make queries, keys, values and gates orthogonal one by one, not as the stack they lie in."""
    rest: AdamW = AdamW()
    rest_lr: Annotated[float, Field(gt=0)] = 1.0
    """What AdamW's learning rate is of Muon's."""

    def build(self, model: nn.Module, lr: float) -> list[torch.optim.Optimizer]:
        """Muon over the matrices and AdamW over the rest."""
        found = sort_parameters(model)
        muon = Muon(
            found.matrices,
            lr,
            self.momentum,
            self.weight_decay,
            self.rounds,
            self.nesterov,
            self.scale,
            stacked_rows(model) if self.split else None,
        )
        rest = self.rest.over(found, found.outputs, lr)
        for group in rest.param_groups:
            group["share"] = self.rest_lr
        return [muon, rest]


Optim = Annotated[AdamW | MuonWithAdamW, Field(discriminator="kind")]


def set_rates(optimizers: Sequence[torch.optim.Optimizer], lr: float) -> None:
    """Set the learning rate of every group, or the share of it that the group takes."""
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = lr * group.get("share", 1.0)
