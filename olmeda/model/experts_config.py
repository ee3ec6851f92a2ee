"""A mixture of experts as a configuration: how many, how chosen, how kept in balance."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from olmeda.base.config import Config


class ExpertsConfig(Config, frozen=True):
    """A dropless mixture of experts in place of each MLP (OLMoE, arXiv:2409.02060)."""

    count: int = Field(ge=1)
    """Experts of each layer (E)."""
    chosen: int = Field(ge=1)
    """Experts that each token visits (K); with ``choice: expert``, on average."""
    choice: Literal["token", "expert"] = "token"
    """``token``: each token takes its K most probable experts; ``expert``: each expert takes, of a
    sequence of T tokens, the ``T K / E`` that are most probable for it (arXiv:2202.09368; not
    causal, so such a model cannot generate and its loss looks ahead)."""
    renormalise: bool = False
    """Divide the K weights by their sum; OLMoE keeps the raw probabilities."""
    shared: int = Field(0, ge=0)
    """Experts that every token visits besides, with weight 1 (arXiv:2401.06066)."""
    every: int = Field(1, ge=1)
    """Layers ``every - 1``, ``2 every - 1``, ... have experts; the others one dense MLP."""
    dense_width: int = Field(0, ge=0)
    """Hidden width of those dense MLPs; 0 means what a token uses: ``mlp_width (K + shared)``."""
    balance_weight: float = Field(0.01, ge=0)
    """Weight of the load-balancing loss, which is 1 when routing is uniform."""
    balance_over: Literal["batch", "sequence"] = "batch"
    """Over which tokens the shares of the load-balancing loss are taken."""
    z_weight: float = Field(0.001, ge=0)
    """Weight of the mean squared logsumexp of the router's logits."""
    bias_rate: float = Field(0.0, ge=0)
    """Balance without a loss (arXiv:2408.15664): after each step an expert's bias, which counts
    in the choice and not in the weight, rises by this much if it had fewer visits than the mean,
    and falls if it had more."""

    @model_validator(mode="after")
    def _can_route(self) -> Self:
        if self.chosen > self.count:
            raise ValueError(f"chosen {self.chosen} of {self.count} experts; choose at most all")
        if self.choice == "expert" and self.bias_rate:
            raise ValueError("bias_rate balances tokens' choices; experts that choose are even")
        if self.choice == "expert" and self.renormalise:
            raise ValueError("renormalise needs K experts a token; where experts choose, use false")
        return self
