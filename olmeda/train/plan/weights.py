"""The parameters of a model by part, counted on the meta device: nothing is allocated."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from olmeda.model.config import ModelConfig
from olmeda.model.transformer import Transformer
from olmeda.train.optim import sort_parameters


@dataclass(frozen=True)
class Weights:
    """Numbers in each part of a model."""

    total: int
    embeddings: int
    """Embedding, and head where it is apart."""
    blocks: list[int]
    """Of each layer, experts included."""
    experts: list[int]
    """Of each layer's experts (0 where dense)."""
    matrices: int
    """What Muon takes: matrices inside the blocks."""


def count_weights(config: ModelConfig) -> Weights:
    """Build the model on the meta device and count."""
    with torch.device("meta"):
        model = Transformer(config)
    total = sum(p.numel() for p in model.parameters())
    blocks = [sum(p.numel() for p in block.parameters()) for block in model.blocks]
    experts = [
        sum(p.numel() for name, p in block.named_parameters() if p.ndim == 3)
        for block in model.blocks
    ]
    matrices = sum(p.numel() for p in sort_parameters(model).matrices)
    return Weights(total, total - sum(blocks), blocks, experts, matrices)
