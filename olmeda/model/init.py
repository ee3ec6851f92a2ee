"""How weights are drawn at first: five published schemes, each a standard deviation by role.

Shapes: ``D`` width of the stream, ``F`` hidden width, ``V`` vocabulary, layers count from 1 here.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from olmeda.model.config import ModelConfig

WRITERS = ("attention.out.weight", "mlp.down.weight", "mlp.down", "mlp.shared.down.weight")
"""Endings of the matrices whose products are added to the residual stream."""
GATED = ("gate_up.weight", "gate_up")
"""Endings of matrices whose first half are gates, the second what they let through."""


@torch.no_grad()
def initialise(model: nn.Module, config: ModelConfig, generator: torch.Generator) -> None:
    """Draw every matrix from a truncated normal, in the order of the parameters.

    Weights of norms are 1, their biases 0. On whole tensors, whatever the device: a draw depends on
    the seed alone.
    """
    for name, weight in model.named_parameters():
        draw(name, weight, config, generator)


@torch.no_grad()
def draw(name: str, weight: Tensor, config: ModelConfig, generator: torch.Generator) -> None:
    """Draw one parameter; the generator goes on from parameter to parameter."""
    if weight.ndim > 1:
        for part, std in _parts(name, weight, config):
            cut = config.init_cutoff * std
            nn.init.trunc_normal_(part, 0.0, std, -cut, cut, generator=generator)
    elif name.endswith("bias"):
        weight.zero_()
    else:
        weight.fill_(1)
    if config.zero_out and _writes(name, config):
        weight.zero_()


def _writes(name: str, config: ModelConfig) -> bool:
    """Whether a parameter scales all that a block adds to the stream.

    Where norms come after, that is their weight: a norm makes any small matrix as large as any
    other, so that zeros there would hold for one step only.
    """
    if config.norm_place == "before":
        return name.endswith(WRITERS)
    return name.endswith(("attention_norm.weight", "mlp_norm.weight"))


def _parts(name: str, weight: Tensor, config: ModelConfig) -> list[tuple[Tensor, float]]:
    """What of a weight is drawn with which standard deviation."""
    std = deviation(name, weight.shape[-1], config)
    if config.init in ("llama", "llama_depth") and name.endswith(GATED):
        gate, up = weight.chunk(2, -2)
        return [(gate, std), (up, std / _depth(name, config))]
    return [(weight, std)]


def deviation(name: str, fan_in: int, config: ModelConfig) -> float:
    """The standard deviation of one matrix by its name in the model and its input's width.

    - ``normal`` (OLMo 2, OLMoE): ``init_std`` everywhere.
    - ``mitchell`` (OLMo 1): ``1 / sqrt(D)``; writers ``1 / sqrt(2 fan_in layer)``.
    - ``llama``, ``llama_depth``: embedding 1, head ``1 / sqrt(D)``, else ``init_std``; writers (and
      what gates let through) divided by ``sqrt(2 layers)`` or by ``sqrt(2 layer)``.
    - ``fan_in``: embedding 1, else ``1 / sqrt(fan_in)``. An embedding that is the head too is drawn
      as a head in these three.
    """
    if name.endswith("values.embed"):
        # as large as the values, which are products of a stream that norms made of size 1
        values = name.replace("values.embed", "qkv.weight")
        return deviation(values, config.width, config) * math.sqrt(config.width)
    inverse = 1 / math.sqrt(config.width)
    if name.endswith("embed"):
        # a tied embedding is the head too: with deviation 1 its logits would be sqrt(D) large
        other = inverse if config.tied else 1.0
        return {"normal": config.init_std, "mitchell": inverse}.get(config.init, other)
    writer = name.endswith(WRITERS)
    if config.init == "mitchell":
        return 1 / math.sqrt(2 * fan_in * _layer(name)) if writer else inverse
    if config.init == "fan_in":
        return 1 / math.sqrt(fan_in)
    if config.init == "normal":
        return config.init_std
    if name.endswith("head.weight"):
        return inverse
    return config.init_std / (_depth(name, config) if writer else 1)


def _depth(name: str, config: ModelConfig) -> float:
    return math.sqrt(2 * (config.layers if config.init == "llama" else _layer(name)))


def _layer(name: str) -> int:
    """Which layer a parameter ``blocks.N...`` belongs to, from 1."""
    return int(name.partition("blocks.")[2].partition(".")[0]) + 1
