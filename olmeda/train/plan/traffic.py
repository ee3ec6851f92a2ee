"""Bytes that one device sends (and receives as many) in one optimiser step, by part.

Rings: gathering or scattering P numbers over n devices moves ``P (n - 1) / n`` through each.
"""

from __future__ import annotations

from dataclasses import dataclass

from olmeda.train.plan.config import PlanConfig
from olmeda.train.plan.memory import MASTER, held_numbers
from olmeda.train.plan.weights import Weights


@dataclass(frozen=True)
class Traffic:
    """Bytes that one device sends for one purpose in a step, and its speed in bytes a second."""

    bytes: float
    speed: float

    @property
    def seconds(self) -> float:
        """How long the sending takes."""
        return self.bytes / self.speed


def traffic_parts(config: PlanConfig, weights: Weights) -> dict[str, Traffic]:
    """Purpose -> what one device sends in one step; empty for one device alone.

    fsdp gathers weights for each forward and each backward pass and scatters summed gradients
    after each; copies of the model sum gradients once a step (twice: scatter and gather).
    """
    found: dict[str, Traffic] = {}
    passes, sharing = config.micro_batches, config.sharing
    moved = weights.total - sum(weights.experts) * (1 - 1 / config.experts)
    if config.kind == "fsdp" and sharing > 1:
        each, speed = moved * (sharing - 1) / sharing, ring_speed(config, sharing)
        found["weights gathered"] = Traffic(2 * passes * config.bytes_each * each, speed)
        found["gradients scattered"] = Traffic(passes * MASTER * each, speed)
    copies = config.gpus // sharing
    if copies > 1:
        held = held_numbers(config, weights)
        summed = 2 * MASTER * held * (copies - 1) / copies
        found["gradients summed"] = Traffic(summed, ring_speed(config, config.gpus))
    if config.experts > 1 and config.model.experts is not None:
        away = config.device.near if config.experts <= config.device.node else config.device.far
        found["tokens to experts and back"] = Traffic(passes * _visits(config), away)
    return found


def _visits(config: PlanConfig) -> float:
    """Of one micro-batch: every visit out and back, forward and backward, to other devices."""
    experts = config.model.experts
    assert experts is not None
    sparse = sum(config.model.experts_of(n) is not None for n in range(config.model.layers))
    away = (config.experts - 1) / config.experts
    visits = config.micro_tokens * experts.chosen * config.model.width
    return 4.0 * sparse * visits * config.bytes_each * away


def ring_speed(config: PlanConfig, devices: int) -> float:
    """Bytes a second through a ring: between nodes, all links of a node carry parts of it."""
    device = config.device
    if devices <= device.node:
        return device.near
    return min(device.near, device.far * device.node)
