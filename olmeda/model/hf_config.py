"""Our configuration as a ``config.json`` of transformers, and back."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from olmeda.base.config import validated
from olmeda.base.errors import ArtifactError, unknown
from olmeda.base.files import read_json
from olmeda.model.config import ModelConfig
from olmeda.model.hf_families import FAMILIES as FAMILIES
from olmeda.model.hf_families import NEUTRAL, OLMO_EPS, OWN, Family, family_of
from olmeda.model.hf_layers import layers_to_hf, unturned_from_hf, windows_from_hf
from olmeda.model.hf_rope import rope_from_hf, rope_to_hf

REQUIRED = (
    "vocab_size",
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "intermediate_size",
    "max_position_embeddings",
)
SPARSE = ("num_experts", "num_experts_per_tok")
ONLY_TRAINING = ("z_weight", "init", "init_cutoff", "zero_out")
"""Fields that bear on training alone: transformers has no keys for them; they stand under ours."""
SHAPED = ("norm", "norm_place", "qk_norm")
ONLY_TRAINING_EXPERTS = ("balance_over",)


def to_hf(
    config: ModelConfig, special: Mapping[str, int], head: str = "CausalLM"
) -> dict[str, Any]:
    """The content of config.json. ``special``: ids of bos, eos and pad; ``head``: ``For<head>``."""
    family = family_of(config)
    values: dict[str, Any] = {
        "architectures": [f"{'Olmeda' if family is None else family.prefix}For{head}"],
        "model_type": OWN if family is None else family.model_type,
        "dtype": "float32",
        "vocab_size": config.vocab_size,
        "hidden_size": config.width,
        "num_hidden_layers": config.layers,
        "max_position_embeddings": config.sequence,
        "tie_word_embeddings": config.tied,
        **{f"{name}_token_id": special[name] for name in ("bos", "eos", "pad")},
    }
    if family is None:
        return {**values, OWN: config.model_dump(mode="json")}
    values |= {
        "intermediate_size": config.mlp_width,
        "num_attention_heads": config.heads,
        "num_key_value_heads": config.key_heads,
        "hidden_act": "silu",
        "initializer_range": config.init_std,
        "rope_parameters": rope_to_hf(config),
        "attention_bias": False,
        "attention_dropout": 0.0,
        "use_cache": True,
        **layers_to_hf(config, family.model_type),
    }
    if family.model_type != "olmo":
        values["rms_norm_eps"] = config.norm_eps
    if config.head_dim or family.model_type == "qwen3":
        values["head_dim"] = config.head_width
    if "clip_qkv" in family.free:
        values["clip_qkv"] = config.clip_qkv
    if config.experts is not None:
        values |= {
            "num_experts": config.experts.count,
            "num_experts_per_tok": config.experts.chosen,
            "norm_topk_prob": config.experts.renormalise,
            "router_aux_loss_coef": config.experts.balance_weight,
            "router_z_loss_coef": config.experts.z_weight,
            "output_router_logits": False,
        }
    if extra := _only_training(config):
        values[OWN] = extra
    return values


def _only_training(config: ModelConfig) -> dict[str, Any]:
    set_ = config.model_dump(mode="json", exclude_defaults=True)
    extra = {name: set_[name] for name in ONLY_TRAINING if name in set_}
    experts = set_.get("experts") or {}
    if held := {name: experts[name] for name in ONLY_TRAINING_EXPERTS if name in experts}:
        extra["experts"] = held
    return extra


def from_hf(values: Mapping[str, Any], where: str) -> ModelConfig:
    """Our configuration of a ``config.json``. Raises ArtifactError for what we cannot compute."""
    types = {f.model_type: f for f in FAMILIES}
    kind = str(values.get("model_type"))
    if kind == OWN:
        if OWN not in values:
            raise ArtifactError(f"{where}: has no key {OWN!r}")
        return validated(ModelConfig, values[OWN], where)
    if kind not in types:
        raise ArtifactError(f"{where}: {unknown('model type', kind, [*types, OWN])}")
    family = types[kind]
    eps = () if kind == "olmo" else ("rms_norm_eps",)
    needed = (*REQUIRED, *eps, *(SPARSE if family.sparse else ()))
    if absent := [k for k in needed if k not in values]:
        raise ArtifactError(f"{where}: has no key {absent[0]!r}")
    _refuse_what_differs(values, where)
    theta, scaling = rope_from_hf(values, family.theta, where)
    tied = values.get("tie_word_embeddings")
    ours: dict[str, Any] = {
        "vocab_size": values["vocab_size"],
        "width": values["hidden_size"],
        "layers": values["num_hidden_layers"],
        "heads": values["num_attention_heads"],
        "kv_heads": values.get("num_key_value_heads") or 0,
        "head_dim": _head_dim(values, family),
        "mlp_width": values["intermediate_size"],
        "sequence": values["max_position_embeddings"],
        "norm_eps": OLMO_EPS if kind == "olmo" else values["rms_norm_eps"],
        "clip_qkv": values.get("clip_qkv") if "clip_qkv" in family.free else None,
        "rope_theta": theta,
        "rope_scaling": scaling,
        "tied": family.tied if tied is None else tied,
        "init_std": values.get("initializer_range", 0.02),
        **{name: family.traits.get(name, NEUTRAL[name]) for name in SHAPED},
        **(windows_from_hf(values, where) if kind == "olmo3" else {}),
        **(unturned_from_hf(values, where) if kind == "smollm3" else {}),
    }
    extra = dict(values.get(OWN) or {})
    if family.sparse:
        ours["experts"] = _experts(values) | extra.pop("experts", {})
    return validated(ModelConfig, {**ours, **extra}, where)


def _experts(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "count": values["num_experts"],
        "chosen": values["num_experts_per_tok"],
        "renormalise": values.get("norm_topk_prob", False),
        "balance_weight": values.get("router_aux_loss_coef", 0.01),
        "z_weight": values.get("router_z_loss_coef", 0.001),
    }


def _head_dim(values: Mapping[str, Any], family: Family) -> int:
    """The width of a head where it does not follow from the width of the stream, else 0."""
    width, heads = values["hidden_size"], values["num_attention_heads"]
    said = values.get("head_dim") or (128 if family.model_type == "qwen3" else 0)
    return 0 if said * heads == width else int(said)


def _refuse_what_differs(values: Mapping[str, Any], where: str) -> None:
    found = {
        "hidden_act": (values.get("hidden_act", "silu"), "silu"),
        "attention_bias": (values.get("attention_bias", False), False),
        "mlp_bias": (values.get("mlp_bias", False), False),
    }
    if values["model_type"] == "qwen3":
        found["use_sliding_window"] = (values.get("use_sliding_window", False), False)
    for name, (has, can) in found.items():
        if has != can:
            raise ArtifactError(f"{where}: {name} {has!r} is not supported, only {can!r}")


def special_ids(tokenizer: Path) -> dict[str, int]:
    """Ids of ``bos``, ``eos`` and ``pad`` as the files of a tokenizer folder name them."""
    names = read_json(tokenizer / "tokenizer_config.json")
    added = read_json(tokenizer / "tokenizer.json")["added_tokens"]
    ids = {token["content"]: int(token["id"]) for token in added}
    eos = _content(names["eos_token"])
    found = {}
    for key in ("bos", "eos", "pad"):
        token = _content(names.get(f"{key}_token") or eos)
        if token not in ids:
            raise ArtifactError(f"{tokenizer}: {key} token {token!r} is no added token")
        found[key] = ids[token]
    return found


def _content(token: str | dict[str, Any]) -> str:
    return str(token["content"]) if isinstance(token, dict) else token
