"""What a model is: one configuration for OLMo 1, 2, 3, OLMoE, Llama, SmolLM; presets are YAML."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from olmeda.base.config import Config, read_yaml, validated
from olmeda.base.errors import ConfigError, unknown
from olmeda.model.experts_config import ExpertsConfig

PRESETS = Path(__file__).parent / "presets"


class Linearly(Config, frozen=True):
    """All positions divided by ``factor`` (Chen et al. 2023, arXiv:2306.15595)."""

    kind: Literal["linear"] = "linear"
    factor: float = Field(ge=1)


class Llama3(Config, frozen=True):
    """Low frequencies divided by ``factor``, high ones kept, those between blended (Llama 3.1)."""

    kind: Literal["llama3"] = "llama3"
    factor: float = Field(ge=1)
    low: float = Field(1.0, gt=0)
    high: float = Field(4.0, gt=0)
    original: int = Field(ge=1)
    """The context that the model was first trained with."""

    @model_validator(mode="after")
    def _is_a_range(self) -> Self:
        if self.low >= self.high:
            raise ValueError(f"low {self.low} must be less than high {self.high}")
        return self


class Yarn(Config, frozen=True):
    """YaRN (Peng et al. 2023, arXiv:2309.00071): stretched by frequency, attention sharpened."""

    kind: Literal["yarn"] = "yarn"
    factor: float = Field(ge=1)
    original: int = Field(ge=1)
    """The context that the model was first trained with."""
    fast: float = Field(32.0, gt=0)
    slow: float = Field(1.0, gt=0)
    attention: float = Field(0.0, ge=0)
    """What cosines and sines are multiplied by; 0 means ``0.1 ln(factor) + 1``."""

    @model_validator(mode="after")
    def _is_a_range(self) -> Self:
        if self.slow >= self.fast:
            raise ValueError(f"slow {self.slow} must be less than fast {self.fast}")
        return self


RopeScaling = Annotated[Linearly | Llama3 | Yarn, Field(discriminator="kind")]


class ModelConfig(Config, frozen=True):
    """The shape of a decoder-only transformer.

    ``{preset: NAME, key: value}`` starts from a preset's values and puts the others over them.
    """

    vocab_size: int = Field(ge=2)
    """Rows of the embedding and of the head (V); at least the tokenizer's vocabulary."""
    width: int = Field(ge=1)
    """Width of the residual stream (D)."""
    layers: int = Field(ge=1)
    heads: int = Field(ge=1)
    kv_heads: int = Field(0, ge=0)
    """Heads of keys and values; 0 means as many as ``heads``."""
    head_dim: int = Field(0, ge=0)
    """Width of one head; 0 means ``width / heads``."""
    mlp_width: int = Field(ge=1)
    """Hidden width of the MLP (F), or of each expert."""
    activation: Literal["swiglu", "relu2"] = "swiglu"
    """``swiglu``: down(silu(gate(x)) * up(x)); ``relu2``: down(relu(up(x))^2)."""
    sequence: int = Field(ge=1)
    """The longest context in tokens (T)."""
    experts: ExpertsConfig | None = None
    """Absent: a dense model."""
    norm: Literal["rms", "layer", "plain_layer"] = "rms"
    """Of the residual stream. ``layer``: LayerNorm with weight and bias; ``plain_layer``: without,
    as in OLMo 1."""
    norm_place: Literal["before", "after"] = "after"
    """``before``: x + f(norm(x)); ``after``: x + norm(f(x)), as in OLMo 2."""
    norm_eps: float = Field(1e-6, gt=0)
    qk_norm: Literal["none", "whole", "head"] = "whole"
    """RMS-normalise queries and keys over their full width before the split, or head by head."""
    clip_qkv: float | None = Field(None, gt=0)
    """Clamp queries, keys and values to this absolute value (OLMo 1's later models: 8)."""
    rope_theta: float = Field(500_000.0, gt=0)
    rope_scaling: RopeScaling | None = None
    """How rotary frequencies are stretched for contexts longer than the trained one; with a window,
    only in layers that see all, as in OLMo 3."""
    no_rope_every: int = Field(0, ge=0)
    """Every so-many-th layer has no rotary positions (SmolLM3: 4); 0 means none."""
    window: int = Field(0, ge=0)
    """Tokens that a sliding-window layer sees, itself included; 0 means all layers see all."""
    full_every: int = Field(4, ge=1)
    """With a window, every so-many-th layer and the last one see all (OLMo 3: 4)."""
    attention_softcap: float = Field(0.0, ge=0)
    """``c tanh(score / c)`` on attention scores (Gemma 2, arXiv:2408.00118); 0 means off."""
    logit_softcap: float = Field(0.0, ge=0)
    """The same on the logits of the head."""
    value_embeddings: int = Field(0, ge=0)
    """Every so-many-th layer adds a learned share of an embedding of its own of the token to its
    values (modded-nanogpt); 0 means none."""
    tied: bool = False
    """Use the embedding as the head."""
    z_weight: float = Field(0.0, ge=0)
    """Weight in training of the mean squared logsumexp of the logits (OLMo 2: 1e-5)."""
    init: Literal["normal", "mitchell", "llama", "llama_depth", "fan_in"] = "normal"
    """How weights are drawn at first; see ``olmeda.model.init.deviation``."""
    init_std: float = Field(0.02, gt=0)
    """Standard deviation of ``normal`` and the two ``llama`` schemes."""
    init_cutoff: float = Field(3.0, gt=0)
    """Where normals are truncated, in standard deviations."""
    zero_out: bool = False
    """Begin with every block the identity: zeros in the matrices that write to the residual stream
    (``norm_place: before``) or in the weights of the norms that do (``after``)."""

    @model_validator(mode="before")
    @classmethod
    def _from_preset(cls, values: Any) -> Any:
        if not isinstance(values, dict) or "preset" not in values:
            return values
        rest = {k: v for k, v in values.items() if k != "preset"}
        return _overridden(preset_values(str(values["preset"])), rest)

    @model_validator(mode="after")
    def _shapes_fit(self) -> Self:
        if not self.head_dim and self.width % self.heads:
            raise ValueError(
                f"width {self.width} is no multiple of heads {self.heads}; change one of them, or "
                "say head_dim"
            )
        if self.head_width % 2:
            raise ValueError(
                f"heads are {self.head_width} wide, which must be even: rotary positions turn pairs"
            )
        if self.heads % self.key_heads:
            raise ValueError(f"heads {self.heads} is no multiple of kv_heads {self.kv_heads}")
        return self

    @model_validator(mode="after")
    def _options_agree(self) -> Self:
        if self.zero_out and self.norm_place == "after" and self.norm == "plain_layer":
            raise ValueError("zero_out needs norms with weights where norm_place is after")
        if self.rope_scaling is not None and self.no_rope_every == 1:
            raise ValueError("rope_scaling: no layer has rotary positions (no_rope_every is 1)")
        return self

    @property
    def head_width(self) -> int:
        """Width of one head."""
        return self.head_dim or self.width // self.heads

    def sees_all(self, layer: int) -> bool:
        """Whether a layer (from 0) attends to all tokens before it, not to a window of them."""
        return not self.window or (layer + 1) % self.full_every == 0 or layer == self.layers - 1

    def turns(self, layer: int) -> bool:
        """Whether a layer (from 0) has rotary positions."""
        return not self.no_rope_every or (layer + 1) % self.no_rope_every != 0

    def experts_of(self, layer: int) -> ExpertsConfig | None:
        """The experts of a layer (from 0); None where it has a dense MLP."""
        if self.experts is None or (layer + 1) % self.experts.every:
            return None
        return self.experts

    def has_value_embedding(self, layer: int) -> bool:
        """Whether a layer (from 0) adds an embedding of the token to its values."""
        return self.value_embeddings > 0 and layer % self.value_embeddings == 0

    @property
    def dense_width(self) -> int:
        """Hidden width of a dense MLP of this model."""
        if self.experts is None:
            return self.mlp_width
        used = self.mlp_width * (self.experts.chosen + self.experts.shared)
        return self.experts.dense_width or used

    @property
    def key_heads(self) -> int:
        """Heads of keys and values."""
        return self.kv_heads or self.heads


def preset_names() -> list[str]:
    """The names of all presets, sorted."""
    return sorted(p.stem for p in PRESETS.glob("*.yaml"))


def preset_values(name: str) -> dict[str, Any]:
    """The values of one preset. Raises ConfigError listing the nearest names."""
    names = preset_names()
    if name not in names:
        raise ConfigError(unknown("preset", name, names))
    return read_yaml(PRESETS / f"{name}.yaml")


def load_preset(name: str, **overrides: Any) -> ModelConfig:
    """The preset ``name`` with ``overrides`` put over it."""
    return validated(ModelConfig, {"preset": name, **overrides}, f"preset {name}")


def _overridden(values: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """``over`` over ``values``; mappings merge key by key."""
    merged = dict(values)
    for key, value in over.items():
        held = merged.get(key)
        if isinstance(held, dict) and isinstance(value, dict):
            value = _overridden(held, value)
        merged[key] = value
    return merged
