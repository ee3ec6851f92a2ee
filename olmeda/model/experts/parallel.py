"""Experts spread over the processes of a group.

Each process holds ``E / P`` neighbouring experts of each layer and all of the router. The gradient
of its experts is the sum over the tokens of all processes already: it must not be summed again
over this group, whereas every other gradient must.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch.distributed as dist
from torch import nn

from olmeda.base.errors import ConfigError
from olmeda.model.experts.exchange import Exchange
from olmeda.model.moe import MoE, moe_layers


def spread_experts(model: nn.Module, group: dist.ProcessGroup) -> None:
    """Keep this process's experts of every layer only; the model must be the same in all of them.

    Raises ConfigError where the experts cannot be divided evenly.
    """
    exchange = Exchange(group)
    for moe in moe_layers(model):
        if moe.count % exchange.size:
            raise ConfigError(
                f"{moe.count} experts cannot be spread evenly over {exchange.size} processes; "
                "choose a number of processes that divides them"
            )
        moe.exchange = exchange
        for name in spread_names(moe):
            own = exchange.own(moe.get_parameter(name).detach()).clone()
            moe.register_parameter(name, nn.Parameter(own))


def spread_parameters(model: nn.Module) -> Iterator[tuple[str, nn.Parameter, Exchange]]:
    """``(name, parameter, exchange)`` of every parameter of which only a part is here.

    Their gradients need no sum over the exchange's group, and their part of the gradient's norm
    does; ``exchange.whole`` gathers one to save it.
    """
    for place, module in model.named_modules():
        if isinstance(module, MoE) and module.exchange is not None:
            for name in spread_names(module):
                yield f"{place}.{name}", module.get_parameter(name), module.exchange


def spread_names(moe: MoE) -> tuple[str, str]:
    """The parameters of a layer that are divided by experts."""
    return moe.activation.name, "down"
