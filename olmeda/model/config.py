"""What a model is: one configuration that covers OLMo 2, OLMoE and Llama; presets are YAML."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from olmeda.base.config import Config, read_yaml, validated
from olmeda.base.errors import ConfigError, unknown

PRESETS = Path(__file__).parent / "presets"


class ExpertsConfig(Config, frozen=True):
    """A dropless mixture of experts in place of each MLP (OLMoE, arXiv:2409.02060)."""

    count: int = Field(ge=1)
    """Experts of each layer (E)."""
    chosen: int = Field(ge=1)
    """Experts that each token visits (K)."""
    renormalise: bool = False
    """Divide the K weights by their sum; OLMoE keeps the raw probabilities."""
    balance_weight: float = Field(0.01, ge=0)
    """Weight of the load-balancing loss, which is 1 when routing is uniform."""
    z_weight: float = Field(0.001, ge=0)
    """Weight of the mean squared logsumexp of the router's logits."""

    @model_validator(mode="after")
    def _enough_experts(self) -> Self:
        if self.chosen > self.count:
            raise ValueError(f"chosen {self.chosen} of {self.count} experts; choose at most all")
        return self


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
    mlp_width: int = Field(ge=1)
    """Hidden width of the gated MLP (F), or of each expert."""
    sequence: int = Field(ge=1)
    """The longest context in tokens (T)."""
    experts: ExpertsConfig | None = None
    """Absent: a dense model."""
    norm_place: Literal["before", "after"] = "after"
    """``before``: x + f(norm(x)); ``after``: x + norm(f(x)), as in OLMo 2."""
    norm_eps: float = Field(1e-6, gt=0)
    qk_norm: bool = True
    """RMS-normalise queries and keys over their full width, before the split into heads."""
    clip_qkv: float | None = None
    """Clamp queries, keys and values to this absolute value (OLMoE checkpoints may ask for it)."""
    rope_theta: float = Field(500_000.0, gt=0)
    tied: bool = False
    """Use the embedding as the head."""
    init_std: float = Field(0.02, gt=0)
    """Standard deviation of the truncated normal that weights are drawn from."""
    init_cutoff: float = Field(3.0, gt=0)
    """Where it is truncated, in standard deviations."""

    @model_validator(mode="before")
    @classmethod
    def _from_preset(cls, values: Any) -> Any:
        if not isinstance(values, dict) or "preset" not in values:
            return values
        rest = {k: v for k, v in values.items() if k != "preset"}
        return _overridden(preset_values(str(values["preset"])), rest)

    @model_validator(mode="after")
    def _shapes_fit(self) -> Self:
        if self.width % self.heads:
            raise ValueError(f"width {self.width} is no multiple of heads {self.heads}")
        if self.head_width % 2:
            raise ValueError(
                f"width {self.width} / heads {self.heads} = {self.head_width} must be even "
                "(rotary positions turn pairs)"
            )
        if self.heads % self.key_heads:
            raise ValueError(f"heads {self.heads} is no multiple of kv_heads {self.kv_heads}")
        return self

    @property
    def head_width(self) -> int:
        """Width of one head."""
        return self.width // self.heads

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
