"""Where each tensor of a transformers checkpoint lies inside our fused parameters.

Every tensor on disk is a part of one parameter: ``q_proj`` is the first rows of ``qkv``, an
expert's ``gate_proj`` the first rows of its slice of ``gate_up``. Loading copies into the parts,
saving reads them, and merging or comparing checkpoints never sees that products are fused here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate

from torch import Tensor, nn

from olmeda.model.config import ModelConfig


@dataclass(frozen=True)
class Part:
    """One tensor on disk: its name there, our parameter, and which part of it (all if empty)."""

    name: str
    parameter: str
    at: tuple[int | slice, ...] = ()

    def of(self, parameter: Tensor) -> Tensor:
        """The part as a view of its parameter."""
        return parameter[self.at]


def parts(config: ModelConfig, *, stacked: bool = False) -> list[Part]:
    """Every tensor on disk of a language model; parts of one parameter stand together.

    ``stacked``: one tensor a layer for all experts instead of one for each; transformers writes the
    second and can be told to write the first.
    """
    found = list(backbone_parts(config, stacked=stacked))
    if not config.tied:
        found.append(Part("lm_head.weight", "head.weight"))
    return found


def backbone_parts(config: ModelConfig, *, stacked: bool = False) -> Iterator[Part]:
    """The same without the head: what a classifier shares with a language model."""
    yield Part("model.embed_tokens.weight", "embed")
    for layer in range(config.layers):
        for part in _block(config, layer, stacked):
            name, parameter = (
                f"model.layers.{layer}.{part.name}",
                f"blocks.{layer}.{part.parameter}",
            )
            yield Part(name, parameter, part.at)
    yield from _norm(config, "model.norm", "norm")


def views(model: nn.Module, found: Iterable[Part]) -> dict[str, Tensor]:
    """Tensor name on disk -> view of a parameter (or of a buffer that is saved) of ``model``."""
    held = model.state_dict(keep_vars=True)
    return {part.name: part.of(held[part.parameter].data) for part in found}


def _block(config: ModelConfig, layer: int, stacked: bool) -> Iterator[Part]:
    # post_attention_layernorm is the second norm of a block that norms before, and the first of
    # one that norms after: the names are transformers', the places ours
    before = ("input_layernorm", "post_attention_layernorm")
    after = ("post_attention_layernorm", "post_feedforward_layernorm")
    first, second = before if config.norm_place == "before" else after
    yield from _norm(config, first, "attention_norm")
    yield from _attention(config, layer)
    yield from _norm(config, second, "mlp_norm")
    if config.experts_of(layer) is not None:
        yield from _experts(config, stacked)
    else:
        into = "mlp.gate_up.weight" if config.activation == "swiglu" else "mlp.up.weight"
        yield from _into(config, "mlp", into, config.dense_width)
        yield Part("mlp.down_proj.weight", "mlp.down.weight")


def _norm(config: ModelConfig, name: str, parameter: str) -> Iterator[Part]:
    if config.norm != "plain_layer":
        yield Part(f"{name}.weight", f"{parameter}.weight")
    if config.norm == "layer":
        yield Part(f"{name}.bias", f"{parameter}.bias")


def _attention(config: ModelConfig, layer: int) -> Iterator[Part]:
    key_width = config.key_heads * config.head_width
    ends = list(accumulate((config.heads * config.head_width, key_width, key_width)))
    for name, start, end in zip("qkv", (0, *ends), ends, strict=False):
        yield Part(f"self_attn.{name}_proj.weight", "attention.qkv.weight", (slice(start, end),))
    yield Part("self_attn.o_proj.weight", "attention.out.weight")
    if config.qk_norm != "none":
        for name in "qk":
            yield Part(f"self_attn.{name}_norm.weight", f"attention.{name}_norm.weight")
    if config.has_value_embedding(layer):
        yield Part("self_attn.value_embedding.weight", "attention.values.embed")
        yield Part("self_attn.value_embedding.share", "attention.values.share")


def _experts(config: ModelConfig, stacked: bool) -> Iterator[Part]:
    experts = config.experts
    assert experts is not None
    yield Part("mlp.gate.weight", "mlp.router.scores.weight")
    if experts.bias_rate:
        yield Part("mlp.gate.e_score_correction_bias", "mlp.router.bias_E")
    into = "gate_up" if config.activation == "swiglu" else "up"
    if stacked:
        yield Part(f"mlp.experts.{into}_proj", f"mlp.{into}")
        yield Part("mlp.experts.down_proj", "mlp.down")
    else:
        for expert in range(experts.count):
            name = f"mlp.experts.{expert}"
            yield from _into(config, name, f"mlp.{into}", config.mlp_width, at=(expert,))
        for expert in range(experts.count):
            yield Part(f"mlp.experts.{expert}.down_proj.weight", "mlp.down", (expert,))
    if experts.shared:
        name, width = "mlp.shared_experts", config.mlp_width * experts.shared
        yield from _into(config, name, f"mlp.shared.{into}.weight", width)
        yield Part(f"{name}.down_proj.weight", "mlp.shared.down.weight")


def _into(
    config: ModelConfig, name: str, parameter: str, width: int, *, at: tuple[int, ...] = ()
) -> Iterator[Part]:
    """The first matrices of an MLP: gate and up, or up alone."""
    if config.activation == "relu2":
        yield Part(f"{name}.up_proj.weight", parameter, at)
        return
    yield Part(f"{name}.gate_proj.weight", parameter, (*at, slice(0, width)))
    yield Part(f"{name}.up_proj.weight", parameter, (*at, slice(width, 2 * width)))
