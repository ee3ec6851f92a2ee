"""Where each tensor of a transformers checkpoint lives inside our fused parameters.

Every tensor on disk is a view of one parameter: ``q_proj`` is the first rows of ``qkv``, an
expert's ``gate_proj`` the first rows of its slice of ``gate_up``. Loading copies into the views,
saving reads them, and merging or comparing checkpoints never sees that products are fused here.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from olmeda.model.attention import Attention
from olmeda.model.mlp import MLP
from olmeda.model.moe import MoE
from olmeda.model.norm import RMSNorm
from olmeda.model.transformer import Block, Transformer

View = tuple[str, Tensor]


def views(model: Transformer, fused_experts: bool = False) -> dict[str, Tensor]:
    """Tensor name on disk -> view of our parameter, in the order of the layers.

    ``fused_experts``: one stacked tensor a layer instead of one for each expert; transformers
    writes the second and can be told to write the first.
    """
    found = dict(backbone_views(model, fused_experts))
    if model.head is not None:
        found["lm_head.weight"] = model.head.weight.data
    return found


def backbone_views(model: Transformer, fused_experts: bool = False) -> Iterator[View]:
    """The same without the head: what a classifier shares with a language model."""
    yield "model.embed_tokens.weight", model.embed.data
    for layer, block in enumerate(model.blocks):
        assert isinstance(block, Block)
        for name, view in _block(block, fused_experts):
            yield f"model.layers.{layer}.{name}", view
    yield "model.norm.weight", model.norm.weight.data


def _block(block: Block, fused_experts: bool) -> Iterator[View]:
    # post_attention_layernorm is the second norm of a block that norms before, and the first of
    # one that norms after: the names are transformers', the places ours
    before = ("input_layernorm", "post_attention_layernorm")
    after = ("post_attention_layernorm", "post_feedforward_layernorm")
    first, second = before if block.norm_before else after
    yield f"{first}.weight", block.attention_norm.weight.data
    yield from _attention(block.attention)
    yield f"{second}.weight", block.mlp_norm.weight.data
    if isinstance(block.mlp, MoE):
        yield from _experts(block.mlp, fused_experts)
    else:
        assert isinstance(block.mlp, MLP)
        yield from _gated("mlp", block.mlp.gate_up.weight.data, block.mlp.down.weight.data)


def _attention(attention: Attention) -> Iterator[View]:
    fused = torch.split(attention.qkv.weight.data, attention.widths)
    for name, view in zip("qkv", fused, strict=True):
        yield f"self_attn.{name}_proj.weight", view
    yield "self_attn.o_proj.weight", attention.out.weight.data
    for name, norm in (("q", attention.q_norm), ("k", attention.k_norm)):
        if isinstance(norm, RMSNorm):
            yield f"self_attn.{name}_norm.weight", norm.weight.data


def _experts(moe: MoE, fused: bool) -> Iterator[View]:
    yield "mlp.gate.weight", moe.router.scores.weight.data
    if fused:
        yield "mlp.experts.gate_up_proj", moe.gate_up.data
        yield "mlp.experts.down_proj", moe.down.data
        return
    for expert, (gate_up, down) in enumerate(zip(moe.gate_up.data, moe.down.data, strict=True)):
        yield from _gated(f"mlp.experts.{expert}", gate_up, down)


def _gated(place: str, gate_up: Tensor, down: Tensor) -> Iterator[View]:
    gate, up = gate_up.chunk(2)
    yield f"{place}.gate_proj.weight", gate
    yield f"{place}.up_proj.weight", up
    yield f"{place}.down_proj.weight", down
