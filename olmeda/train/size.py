"""How large a model is: all parameters, and those that one token passes through."""

from __future__ import annotations

from torch import nn

from olmeda.model.moe import MoE


def parameters(model: nn.Module) -> int:
    """The number of parameters; tied ones count once."""
    return sum(p.numel() for p in model.parameters())


def active_parameters(model: nn.Module) -> int:
    """The parameters that one token uses: of the experts, only those it visits."""
    idle = 0
    for module in model.modules():
        if isinstance(module, MoE):
            stacks = module.gate_up.numel() + module.down.numel()
            idle += stacks // module.count * (module.count - module.chosen)
    return parameters(model) - idle
