"""Bytes that one device holds during a step, by part."""

from __future__ import annotations

from olmeda.model.config import ModelConfig
from olmeda.model.kernels.head_loss import SLICE_ELEMENTS
from olmeda.train.plan.activations import kept_numbers
from olmeda.train.plan.config import PlanConfig
from olmeda.train.plan.weights import Weights

MASTER = 4
"""Bytes of a number of master weights, gradients and optimiser states: fp32."""


def memory_parts(config: PlanConfig, weights: Weights) -> dict[str, float]:
    """Part -> bytes on one device at the peak of a step.

    ``gathered``: with fsdp, the blocks in work and the next one in the precision of products, and
    the largest block's gradient before it is scattered; on a CPU alone there is nothing to gather.
    ``buckets``: with ddp, the flat copies in which gradients are summed.
    """
    held, states = held_numbers(config, weights), 2.0
    if config.optim == "muon":
        states -= weights.matrices / weights.total
    kernels = config.device.kernels and config.precision == "fp32"
    return {
        "weights": MASTER * held,
        "gradients": MASTER * held,
        "optimiser": MASTER * held * states,
        "gathered": _gathered(config, weights),
        "buckets": MASTER * held if config.kind == "ddp" and config.gpus > 1 else 0.0,
        "activations": config.micro_tokens
        * config.bytes_each
        * kept_numbers(config.model, recompute=config.recompute, kernels=kernels),
        "head": _head(config.model),
        "work": config.micro_tokens * config.bytes_each * _widest(config.model),
    }


def held_numbers(config: PlanConfig, weights: Weights) -> float:
    """Parameters whose master weight, gradient and optimiser state lie on one device."""
    if config.kind == "fsdp":
        return weights.total / config.sharing
    return weights.total - sum(weights.experts) * (1 - 1 / config.experts)


def with_rows(config: PlanConfig, weights: Weights) -> PlanConfig:
    """The configuration with ``micro_rows`` chosen, if it is not given.

    The largest power of two that leaves a tenth of the memory free and fills no more than a
    step's batch; 1 where not even that fits.
    """
    if config.micro_rows is not None:
        return config
    best = config.model_copy(update={"micro_rows": 1})
    while True:
        more = best.model_copy(update={"micro_rows": 2 * best.rows})
        if more.gpus * more.micro_tokens > more.batch_tokens:
            return best
        if sum(memory_parts(more, weights).values()) > 0.9 * config.device.memory:
            return best
        best = more


def _gathered(config: PlanConfig, weights: Weights) -> float:
    if config.kind != "fsdp" or config.sharing == 1:
        return 0.0
    spread = [b - e + e / config.experts for b, e in zip(weights.blocks, weights.experts)]
    in_work = 2 * max(spread) + weights.embeddings
    return config.bytes_each * in_work + MASTER * max(spread)


def _head(model: ModelConfig) -> float:
    """One slice of logits, and the head's gradient, which is made on the way forward."""
    return 4.0 * (SLICE_ELEMENTS + model.vocab_size * model.width)


def _widest(model: ModelConfig) -> float:
    """Numbers for one token of the gradients in flight in the widest layer."""
    hidden: float = 3 * model.dense_width + 2 * model.width
    if model.experts is not None:
        chosen = model.experts.chosen + model.experts.shared
        hidden = max(hidden, chosen * (3 * model.mlp_width + 2 * model.width))
    return hidden
