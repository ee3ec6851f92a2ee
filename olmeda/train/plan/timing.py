"""How long a step takes: products, attention, memory moved, and what links add."""

from __future__ import annotations

from dataclasses import dataclass

from olmeda.model.flops import flops_per_token
from olmeda.train.plan.activations import kept_numbers
from olmeda.train.plan.config import PlanConfig
from olmeda.train.plan.memory import MASTER, held_numbers
from olmeda.train.plan.traffic import traffic_parts
from olmeda.train.plan.weights import Weights

TOUCHES = 4.0
"""How often each kept number is read or written by elementwise work over a step (fitted to the
runs of ``make bench ROOM=plan``, LOG.md 2026-11-23)."""
STATE_TOUCHES = 7.0
"""Numbers read and written for each parameter by an optimiser's step: weight, gradient and two
states read, three of them written."""


@dataclass(frozen=True)
class StepTime:
    """Seconds of one step on one device, by part; links run beside computing."""

    products: float
    experts: float
    attention: float
    memory: float
    optimiser: float
    links: float

    @property
    def computing(self) -> float:
        """Seconds without links."""
        return self.products + self.experts + self.attention + self.memory + self.optimiser

    @property
    def total(self) -> float:
        """Links hide behind products and attention and show where they take longer."""
        hidden = self.products + self.experts + self.attention
        return self.computing + max(self.links - hidden, 0.0)


def step_time(config: PlanConfig, weights: Weights) -> StepTime:
    """The parts of one step's time."""
    device = config.device
    peak = device.products[config.precision]
    tokens = config.batch_tokens / config.gpus
    again = 4 / 3 if config.recompute else 1.0
    products = flops_per_token(config.model, 0)
    in_experts = _expert_flops(config, weights)
    attention = flops_per_token(config.model, config.row) - products
    kept = kept_numbers(config.model) * config.bytes_each
    links = sum(sent.seconds for sent in traffic_parts(config, weights).values())
    return StepTime(
        products=again * tokens * (products - in_experts) / (peak * device.efficiency),
        experts=again * tokens * in_experts / (peak * device.experts),
        attention=again * tokens * attention / (peak * device.attention),
        memory=again * tokens * kept * TOUCHES / device.bandwidth,
        optimiser=held_numbers(config, weights) * MASTER * STATE_TOUCHES / device.bandwidth,
        links=links,
    )


def _expert_flops(config: PlanConfig, weights: Weights) -> float:
    """FLOPs of the experts that a token visits, forward and backward."""
    experts = config.model.experts
    if experts is None:
        return 0.0
    return 6.0 * sum(weights.experts) * experts.chosen / experts.count
