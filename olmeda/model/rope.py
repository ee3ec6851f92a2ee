"""Frequencies of rotary positions (arXiv:2104.09864), and how they stretch for longer contexts.

Shapes: ``C`` width of a head, ``S`` longest context.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from olmeda.model.config import Linearly, Llama3, RopeScaling, Yarn
from olmeda.model.kernels.rotary import rotate as rotate


def rotary_table(
    length: int, head_width: int, theta: float, scaling: RopeScaling | None = None
) -> tuple[Tensor, Tensor]:
    """Cosines and sines ``[S, C/2]`` of position times frequency, in float32.

    YaRN multiplies them by its attention factor: products of queries and keys grow by its square.
    """
    steps = torch.arange(0, head_width, 2, dtype=torch.float32)
    frequencies = 1.0 / (theta ** (steps / head_width))
    size = 1.0
    if scaling is not None:
        frequencies, size = stretched(frequencies, theta, scaling)
    angles = torch.arange(length, dtype=torch.float32)[:, None] * frequencies
    return angles.cos() * size, angles.sin() * size


def stretched(frequencies: Tensor, theta: float, scaling: RopeScaling) -> tuple[Tensor, float]:
    """``(frequencies [C/2], attention factor)`` under a scaling."""
    if isinstance(scaling, Linearly):
        return frequencies / scaling.factor, 1.0
    if isinstance(scaling, Llama3):
        kept = _kept_by_turns(frequencies, scaling)
        return frequencies * (kept + (1 - kept) / scaling.factor), 1.0
    kept = _kept_by_dimension(len(frequencies), theta, scaling)
    size = scaling.attention or 0.1 * math.log(scaling.factor) + 1
    return frequencies * (kept + (1 - kept) / scaling.factor), size


def _kept_by_turns(frequencies: Tensor, scaling: Llama3) -> Tensor:
    """How much of each frequency is kept: by its turns in the original context, low to high."""
    turns = scaling.original * frequencies / (2 * math.pi)
    return ((turns - scaling.low) / (scaling.high - scaling.low)).clamp(0, 1)


def _kept_by_dimension(pairs: int, theta: float, scaling: Yarn) -> Tensor:
    """The same in YaRN: linear in the number of the pair, between two whole numbers of pairs."""

    def pair_that_turns(times: float) -> float:
        return pairs * math.log(scaling.original / (2 * math.pi * times)) / math.log(theta)

    first = max(math.floor(pair_that_turns(scaling.fast)), 0)
    last = min(math.ceil(pair_that_turns(scaling.slow)), 2 * pairs - 1)
    ramp = (torch.arange(pairs, dtype=torch.float32) - first) / max(last - first, 0.001)
    return 1 - ramp.clamp(0, 1)
