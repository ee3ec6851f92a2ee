"""``olmeda train plan``: what a run would need, before anything is paid for."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from olmeda.base.errors import ConfigError
from olmeda.model.flops import active_parameters, flops_per_token
from olmeda.train.plan.config import PlanConfig
from olmeda.train.plan.memory import memory_parts, with_rows
from olmeda.train.plan.timing import step_time
from olmeda.train.plan.traffic import traffic_parts
from olmeda.train.plan.weights import count_weights


class RunPlan(msgspec.Struct, frozen=True):
    """Everything the plan says; bytes and seconds are of one device and one step."""

    micro_rows: int
    parameters: int
    active_parameters: int
    flops_per_token: float
    memory: dict[str, float]
    memory_total: float
    device_memory: float
    traffic: dict[str, float]
    seconds: dict[str, float]
    step_seconds: float
    tokens_per_second: float
    """Over all devices."""
    mfu: float
    """FLOPs that the model needs over those that the devices could do."""
    tokens: float
    steps: int
    hours: float
    device_hours: float
    dollars: float

    @property
    def fits(self) -> bool:
        """Whether one device holds it."""
        return self.memory_total <= self.device_memory


def plan(config: PlanConfig) -> RunPlan:
    """Work out parameters, memory, traffic, time and cost.

    Raises ConfigError for a precision that the device has no figure for.
    """
    if config.precision not in config.device.products:
        known = ", ".join(config.device.products)
        raise ConfigError(f"device: no figure for precision {config.precision}; it has {known}")
    weights = count_weights(config.model)
    config = with_rows(config, weights)
    parts = memory_parts(config, weights)
    time = step_time(config, weights)
    needed = flops_per_token(config.model, config.row)
    tokens = config.tokens or 20.0 * active_parameters(config.model)
    steps = max(round(tokens / config.batch_tokens), 1)
    hours = steps * time.total / 3600
    price = config.device.price if config.price is None else config.price
    could = config.gpus * config.device.products[config.precision]
    return RunPlan(
        micro_rows=config.rows,
        parameters=weights.total,
        active_parameters=active_parameters(config.model),
        flops_per_token=needed,
        memory=parts,
        memory_total=sum(parts.values()),
        device_memory=config.device.memory,
        traffic={name: sent.bytes for name, sent in traffic_parts(config, weights).items()},
        seconds={
            "matrix products": time.products,
            "experts' products": time.experts,
            "attention": time.attention,
            "memory moved": time.memory,
            "optimiser": time.optimiser,
            "links (beside the rest)": time.links,
        },
        step_seconds=time.total,
        tokens_per_second=config.batch_tokens / time.total,
        mfu=needed * config.batch_tokens / (time.total * could),
        tokens=tokens,
        steps=steps,
        hours=hours,
        device_hours=hours * config.gpus,
        dollars=hours * config.gpus * price,
    )


def told(config: PlanConfig, held: RunPlan) -> str:
    """The plan as a person reads it."""
    return "\n".join(_lines(config, held))


def _lines(config: PlanConfig, held: RunPlan) -> Iterator[str]:
    yield (
        f"parameters      {_short(held.parameters)}, {_short(held.active_parameters)} active; "
        f"{_short(held.flops_per_token)}FLOP a token of a row of {config.row}"
    )
    room = 100 * held.memory_total / held.device_memory
    verdict = "" if held.fits else ": DOES NOT FIT; more gpus, larger shards, or recompute=true"
    yield (
        f"memory          {_bytes(held.memory_total)} a device of {_bytes(held.device_memory)} "
        f"({room:.0f} %), {held.micro_rows} row{'s' * (held.micro_rows > 1)} at once{verdict}"
    )
    yield from (f"  {name:<28} {_bytes(size):>10}" for name, size in held.memory.items())
    yield f"links           {_bytes(sum(held.traffic.values()))} sent by a device in a step"
    yield from (f"  {name:<28} {_bytes(size):>10}" for name, size in held.traffic.items())
    yield (
        f"time            {held.step_seconds:.3g} s a step of {config.batch_tokens:,} tokens, "
        f"{held.tokens_per_second:,.0f} tokens/s, MFU {100 * held.mfu:.0f} %"
    )
    yield from (f"  {name:<28} {s:>8.3g} s" for name, s in held.seconds.items())
    yield (
        f"run             {_short(held.tokens)} tokens, {held.steps:,} steps, "
        f"{held.hours:,.1f} hours on {config.gpus:,} devices, {held.device_hours:,.0f} device "
        f"hours, ${held.dollars:,.0f}"
    )
    device = config.device
    price = device.price if config.price is None else config.price
    yield (
        f"assumed         products reach {device.efficiency:.0%} of their peak, those of experts "
        f"{device.experts:.0%}, attention {device.attention:.0%}; ${price:g} an hour of a device"
    )


def _short(number: float) -> str:
    for size, letter in ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:.3g} {letter}"
    return f"{number:.3g} "


def _bytes(size: float) -> str:
    for unit, name in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB")):
        if size >= unit:
            return f"{size / unit:.3g} {name}"
    return f"{size / 1e3:.3g} kB"
