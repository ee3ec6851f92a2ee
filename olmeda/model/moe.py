"""A dropless mixture of experts in the place of an MLP.

Shapes: ``B`` sequences, ``T`` tokens of each, ``N`` = B T tokens, ``D`` width, ``E`` experts,
``F`` hidden width of an expert, ``G`` what its first product makes (2 F with a gate).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from olmeda.model.config import ModelConfig
from olmeda.model.experts.activation import ACTIVATIONS
from olmeda.model.experts.exchange import Exchange
from olmeda.model.experts.products import visit_experts
from olmeda.model.experts.router import Router
from olmeda.model.experts.router import RouterOutput as RouterOutput
from olmeda.model.experts.visits import sort_visits
from olmeda.model.mlp import build_mlp


class MoE(nn.Module):
    """Tokens sorted by expert, a pair of products for each, nothing dropped or padded.

    Matrices of all experts lie in two parameters: ``gate_up`` (``up`` where the activation has no
    gate) ``[E, G, D]`` and ``down`` ``[E, D, F]``; ``shared`` is an MLP that every token visits.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        experts, width, hidden = config.experts, config.width, config.mlp_width
        assert experts is not None
        self.count, self.chosen = experts.count, experts.chosen
        self.activation = ACTIVATIONS[config.activation]
        self.router = Router(width, experts)
        into = torch.empty(self.count, self.activation.widening * hidden, width)
        self.register_parameter(self.activation.name, nn.Parameter(into))
        self.down = nn.Parameter(torch.empty(self.count, width, hidden))
        self.shared = build_mlp(_shared(config)) if experts.shared else None
        self.exchange: Exchange | None = None
        """Set where the experts are spread over processes; see ``experts.parallel``."""

    @property
    def into(self) -> nn.Parameter:
        """The first matrices of all experts, ``[E, G, D]``."""
        return self.get_parameter(self.activation.name)

    def forward(self, x_BTD: Tensor, real_BT: Tensor | None = None) -> tuple[Tensor, RouterOutput]:
        """Return the weighted sum of the experts' outputs, and the routing.

        ``real_BT``: which tokens are no padding; only experts that choose need to know.
        """
        routed = self.router(x_BTD, real_BT)
        visits = sort_visits(routed)
        device = x_BTD.device.type
        x_ND = x_BTD.flatten(0, -2)
        into_EGD: Tensor = self.into
        down_EDF: Tensor = self.down
        if torch.is_autocast_enabled(device):  # the products below are not known to autocast
            lower = torch.get_autocast_dtype(device)
            x_ND, into_EGD, down_EDF = (t.to(lower) for t in (x_ND, into_EGD, down_EDF))
        with torch.autocast(device, enabled=False):
            visit = visit_experts if self.exchange is None else self.exchange.visit_experts
            y_BTD = visit(x_ND, visits, into_EGD, down_EDF, self.activation).view_as(x_BTD)
        return (y_BTD if self.shared is None else y_BTD + self.shared(x_BTD)), routed


def moe_layers(model: nn.Module) -> list[MoE]:
    """The layers with experts, in the order of the model."""
    return [module for module in model.modules() if isinstance(module, MoE)]


def _shared(config: ModelConfig) -> ModelConfig:
    """A dense MLP as wide as all shared experts together: it computes their sum."""
    assert config.experts is not None
    hidden = config.mlp_width * config.experts.shared
    return config.model_copy(update={"experts": None, "mlp_width": hidden})
