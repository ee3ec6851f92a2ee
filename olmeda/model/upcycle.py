"""Sparse upcycling: a dense model becomes a mixture of experts that are copies of its MLPs.

Two forms. As published (arXiv:2212.05055; with raw probabilities in OLMoE, arXiv:2409.02060):
experts are copies, routers are new, and what a token gets is whatever its new router says, about
K / E of what the dense MLP gave. Preserving: scaled so that the model computes at first exactly
what the dense one does, whatever the routers say.

Shapes: ``E`` experts, ``P`` parts of a copy, ``F`` hidden width of the dense MLP, ``G`` what its
first product makes (W F, where W is 2 with a gate), ``D`` width.
"""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from olmeda.base.config import Config
from olmeda.base.errors import ConfigError
from olmeda.model.config import ModelConfig
from olmeda.model.experts_config import ExpertsConfig
from olmeda.model.moe import MoE
from olmeda.model.transformer import Block, Transformer


class Upcycling(Config, frozen=True):
    """How experts are made of a dense MLP."""

    form: Literal["preserving", "published"] = "preserving"
    """``preserving``: the same function at first; ``published``: copies and fresh routers."""
    parts: Annotated[int, Field(ge=1)] = 1
    """Split each copy into so many experts, which are chosen together at first: their routers
    begin equal (arXiv:2410.07524)."""
    router_std: Annotated[float, Field(gt=0)] = 0.02
    """Standard deviation of the new routers (all ones made worse models in OLMoE's runs)."""
    noise: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Share of the entries of experts that are drawn anew, so that copies differ (OLMoE: 0.5)."""
    noise_std: Annotated[float, Field(gt=0)] = 0.02


def upcycled_config(dense: ModelConfig, experts: ExpertsConfig, how: Upcycling) -> ModelConfig:
    """The configuration of the mixture. Raises ConfigError where it cannot be made like this."""
    if dense.experts is not None:
        raise ConfigError("checkpoint: has experts already; upcycle a dense one")
    parts = how.parts
    for name, size in (
        ("mlp_width", dense.mlp_width),
        ("experts.count", experts.count),
        ("experts.chosen", experts.chosen),
        ("experts.shared", experts.shared),
    ):
        if size % parts:
            raise ConfigError(f"how.parts: {name} {size} is no multiple of {parts} parts")
    if how.form == "preserving":
        _can_preserve(experts, how)
    elif parts > 1:
        raise ConfigError("how.parts: only how.form=preserving splits; say how.parts=1")
    if experts.every > 1:
        experts = experts.model_copy(update={"dense_width": dense.mlp_width})
    changes = {"experts": experts, "mlp_width": dense.mlp_width // parts}
    return dense.model_copy(update=changes)


def _can_preserve(experts: ExpertsConfig, how: Upcycling) -> None:
    if experts.choice == "expert":
        problem = "experts.choice: where experts choose, some tokens have none; say token"
    elif not experts.renormalise and experts.chosen < experts.count:
        problem = (
            "experts.renormalise: raw probabilities of chosen experts do not sum to 1, so no "
            "scale preserves the function; say true, or how.form=published"
        )
    elif how.noise:
        problem = "how.noise: changes the function; say 0, or how.form=published"
    else:
        return
    raise ConfigError(problem)


@torch.no_grad()
def upcycle(
    dense: Transformer, experts: ExpertsConfig, how: Upcycling, *, seed: int
) -> Transformer:
    """A mixture of experts made of ``dense``, whose weights are copied; ``seed`` of what is new."""
    model = Transformer(upcycled_config(dense.config, experts, how))
    generator = torch.Generator().manual_seed(seed)
    held = dense.state_dict()
    for name, weight in model.state_dict().items():
        if name in held and ".mlp." not in name:
            weight.copy_(held[name])
    for block, old in zip(model.blocks, dense.blocks, strict=True):
        assert isinstance(block, Block)
        assert isinstance(old, Block)
        if isinstance(block.mlp, MoE):
            _fill(block.mlp, old.mlp, how, generator)
        else:
            block.mlp.load_state_dict(old.mlp.state_dict())
    return model.train(dense.training)


def _fill(moe: MoE, dense: nn.Module, how: Upcycling, generator: torch.Generator) -> None:
    """Copies of a dense MLP, part by part, as the experts of a layer, and a new router."""
    into_GD = dense.get_parameter(f"{moe.activation.name}.weight")
    down_DF = dense.get_parameter("down.weight")
    parts, copies = how.parts, moe.count // how.parts
    _draw(moe.router.scores.weight, how.router_std, parts, generator)
    into_PGD, down_PDF = _split(into_GD, down_DF, moe.activation.widening, parts)
    shared = 0 if moe.shared is None else moe.shared.get_parameter("down.weight").shape[1]
    wholes = 1 + shared // down_DF.shape[1]  # what is added up: the chosen experts, each shared one
    # the P parts of a copy share its weight, and have to add up to the whole
    scale = parts / wholes if how.form == "preserving" else 1.0
    moe.into.copy_(into_PGD.repeat(copies, 1, 1))
    moe.down.copy_(down_PDF.repeat(copies, 1, 1)).mul_(scale)
    for weight in (moe.into, moe.down):
        _disturb(weight, how, generator)
    if moe.shared is not None:
        both_WFD = into_GD.view(moe.activation.widening, -1, into_GD.shape[1])
        shared_GD = both_WFD.repeat(1, wholes - 1, 1).flatten(0, 1)
        moe.shared.get_parameter(f"{moe.activation.name}.weight").copy_(shared_GD)
        shared_down_DF = moe.shared.get_parameter("down.weight")
        shared_down_DF.copy_(down_DF.repeat(1, wholes - 1))
        if how.form == "preserving":
            shared_down_DF.div_(wholes)


def _split(into_GD: Tensor, down_DF: Tensor, widening: int, parts: int) -> tuple[Tensor, Tensor]:
    """The matrices of each part of an MLP's hidden width; the sum of their outputs is its own."""
    into_WPFD = into_GD.view(widening, parts, -1, into_GD.shape[1])
    down_DPF = down_DF.view(len(down_DF), parts, -1)
    return into_WPFD.transpose(0, 1).flatten(1, 2), down_DPF.transpose(0, 1)


def _draw(weight_ED: Tensor, std: float, parts: int, generator: torch.Generator) -> None:
    """A router whose rows are equal within a copy, so that its parts are chosen together."""
    rows = weight_ED.new_empty(len(weight_ED) // parts, weight_ED.shape[1])
    nn.init.normal_(rows, 0.0, std, generator=generator)
    weight_ED.copy_(rows.repeat_interleave(parts, 0))


def _disturb(weight: Tensor, how: Upcycling, generator: torch.Generator) -> None:
    if not how.noise:
        return
    for expert in weight:
        new = torch.rand(expert.shape, generator=generator) < how.noise
        drawn = nn.init.normal_(torch.empty_like(expert), 0.0, how.noise_std, generator=generator)
        expert.copy_(torch.where(new, drawn, expert))
