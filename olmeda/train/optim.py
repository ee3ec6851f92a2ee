"""Optimisers as recipes name them, with the parameter groups of the published models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from olmeda.base.config import Config
from olmeda.train.muon import Muon

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


class AdamW(Config, frozen=True):
    """AdamW with OLMo 2's values: decay on norms and biases, none on embeddings.

    OLMoE decays embeddings too: ``decay_embeddings: true``.
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
            {"params": params, "weight_decay": decay}
            for params, decay in ((with_decay, self.weight_decay), (without, 0.0))
            if params
        ]
        return torch.optim.AdamW(groups, lr=lr, betas=self.betas, eps=self.eps, fused=True)


class MuonWithAdamW(Config, frozen=True):
    """Muon for matrices inside the blocks, AdamW for the rest, at one learning rate."""

    kind: Literal["muon"] = "muon"
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.95
    weight_decay: Annotated[float, Field(ge=0)] = 0.1
    rounds: Annotated[int, Field(ge=1)] = 5
    rest: AdamW = AdamW()

    def build(self, model: nn.Module, lr: float) -> list[torch.optim.Optimizer]:
        """Muon over the matrices and AdamW over the rest."""
        found = sort_parameters(model)
        muon = Muon(found.matrices, lr, self.momentum, self.weight_decay, self.rounds)
        return [muon, self.rest.over(found, found.outputs, lr)]


Optim = Annotated[AdamW | MuonWithAdamW, Field(discriminator="kind")]


def set_rates(optimizers: Sequence[torch.optim.Optimizer], lr: float) -> None:
    """Set the learning rate of every group."""
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = lr
