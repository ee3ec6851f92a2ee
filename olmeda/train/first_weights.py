"""The weights that training begins with: drawn from a seed, or those of a checkpoint.

Either gives a whole model, or one whole parameter after the other to processes that share a model
and keep their part of each.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Protocol

import torch
from torch import Tensor

from olmeda.artifacts.checkpoint import Checkpoint
from olmeda.model import hf
from olmeda.model.config import ModelConfig
from olmeda.model.hf_names import parts, views
from olmeda.model.init import draw
from olmeda.model.stream import read_into
from olmeda.model.transformer import Transformer


class FirstWeights(Protocol):
    """Where the first weights of a model of ``config`` come from."""

    @property
    def config(self) -> ModelConfig:
        """The model that has them."""

    def model(self) -> Transformer:
        """A whole model with the weights."""

    def one_by_one(self) -> Iterator[tuple[str, Tensor]]:
        """Each parameter by name; what is in no pair, as biases of routers, begins at 0."""


@dataclass(frozen=True)
class Drawn:
    """Weights drawn from ``seed``, the same however many processes share the model."""

    config: ModelConfig
    seed: int

    def model(self) -> Transformer:
        """A whole model with the weights."""
        return Transformer.initialised(self.config, self.seed)

    def one_by_one(self) -> Iterator[tuple[str, Tensor]]:
        """Each parameter by name, drawn in the order of the model."""
        generator = torch.Generator().manual_seed(self.seed)
        for name, unset in _unset(self.config).named_parameters():
            drawn = torch.empty(unset.shape)
            draw(name, drawn, self.config, generator)
            yield name, drawn


@dataclass(frozen=True)
class Stored:
    """The weights of ``checkpoint``, read as ``config``. ArtifactError where they do not fit."""

    config: ModelConfig
    checkpoint: Checkpoint

    def model(self) -> Transformer:
        """A whole model with the weights."""
        model = Transformer(self.config)
        hf.fill(
            self.checkpoint,
            lambda stacked: views(model, parts(self.config, stacked=stacked)),
            hf.spare_names(self.config),
        )
        return model

    def one_by_one(self) -> Iterator[tuple[str, Tensor]]:
        """Each parameter by name, read in the order of the model."""
        found = parts(self.config, stacked=hf.stacks_experts(self.checkpoint))
        names = [part.name for part in found]
        hf.require_names(self.checkpoint, names, hf.spare_names(self.config))
        held = _unset(self.config).state_dict()
        for name, of_one in groupby(found, key=lambda part: part.parameter):
            value = torch.empty(held[name].shape)
            read_into(self.checkpoint, {part.name: part.of(value) for part in of_one})
            yield name, value


def _unset(config: ModelConfig) -> Transformer:
    """A model of shapes alone."""
    with torch.device("meta"):
        return Transformer(config)
