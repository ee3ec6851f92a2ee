"""The architectures of transformers that compute what a configuration says, and our own layout.

Where no architecture can hold an option, a checkpoint is saved in our own layout: the same tensor
names and files, ``model_type: olmeda``, and the whole configuration under the key ``olmeda``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from olmeda.model.config import ModelConfig

OWN = "olmeda"
"""The ``model_type`` of our own layout, and the key under which our configuration stands."""
NEUTRAL: dict[str, Any] = {
    "norm": "rms",
    "norm_place": "before",
    "qk_norm": "none",
    "activation": "swiglu",
    "attention_softcap": 0.0,
    "logit_softcap": 0.0,
    "value_embeddings": 0,
    "experts": False,
    "clip_qkv": False,
    "window": False,
    "no_rope_every": False,
    "experts.choice": "token",
    "experts.shared": 0,
    "experts.every": 1,
    "experts.bias_rate": 0.0,
}
"""What a plain Llama has of each option that only some architectures know; True and False say
whether an option is used at all."""


@dataclass(frozen=True)
class Family:
    """One architecture of transformers: its name and how it differs from a plain Llama.

    ``traits``: options with another value than in ``NEUTRAL``; ``free``: options that it may or may
    not use; ``theta`` and ``tied``: what it takes where a ``config.json`` says nothing.
    """

    model_type: str
    prefix: str
    traits: Mapping[str, Any] = field(default_factory=dict)
    free: tuple[str, ...] = ()
    theta: float = 10_000.0
    tied: bool = False

    @property
    def sparse(self) -> bool:
        """Whether its MLPs are mixtures of experts."""
        return bool(self.traits.get("experts", False))

    def refuses(self, config: ModelConfig) -> str | None:
        """The first option of ``config`` that it cannot hold; None where it holds all."""
        for name, value in traits_of(config).items():
            wanted = self.traits.get(name, NEUTRAL[name])
            if name not in self.free and value != wanted:
                return name
        if self.model_type == "olmo" and config.norm_eps != OLMO_EPS:
            return "norm_eps"
        if self.model_type == "llama" and config.width % config.heads:
            return "heads"
        return None


OLMO_EPS = 1e-5
"""What OLMo 1's LayerNorm adds to the variance; transformers has no key for it."""
_REORDERED = {"norm_place": "after", "qk_norm": "whole"}
FAMILIES = (
    Family("olmo", "Olmo", {"norm": "plain_layer"}, ("clip_qkv",)),
    Family("olmo2", "Olmo2", _REORDERED),
    Family("olmo3", "Olmo3", {**_REORDERED, "window": True}, theta=500_000.0),
    Family("olmoe", "Olmoe", {"qk_norm": "whole", "experts": True}, ("clip_qkv",)),
    Family("flex_olmo", "FlexOlmo", {**_REORDERED, "experts": True}, theta=500_000.0),
    Family("llama", "Llama"),
    Family("smollm3", "SmolLM3", {"no_rope_every": True}, theta=2_000_000.0, tied=True),
    Family("qwen3", "Qwen3", {"qk_norm": "head"}),
)


def traits_of(config: ModelConfig) -> dict[str, Any]:
    """The options of ``NEUTRAL`` as ``config`` has them."""
    found: dict[str, Any] = {}
    for name, neutral in NEUTRAL.items():
        of_experts = name.partition("experts.")[2]
        if of_experts and config.experts is None:
            found[name] = neutral
            continue
        value = getattr(config.experts, of_experts) if of_experts else getattr(config, name)
        found[name] = bool(value) if neutral is False else value
    return found


def family_of(config: ModelConfig) -> Family | None:
    """The architecture that computes what ``config`` says; None: it takes our own layout."""
    return next((f for f in FAMILIES if f.refuses(config) is None), None)


def why_own(config: ModelConfig) -> str:
    """Which option keeps a configuration out of each architecture, for a person to read."""
    return ", ".join(f"{f.model_type}: {f.refuses(config)}" for f in FAMILIES)
