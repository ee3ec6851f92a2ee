"""Our configuration as a ``config.json`` of transformers, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from olmeda.base.config import validated
from olmeda.base.errors import ArtifactError, ConfigError, unknown
from olmeda.base.files import read_json
from olmeda.model.config import ModelConfig


@dataclass(frozen=True)
class Family:
    """One architecture of transformers: its name and what it fixes about a model."""

    model_type: str
    prefix: str
    norm_place: str
    qk_norm: str
    sparse: bool


FAMILIES = (
    Family("olmo2", "Olmo2", "after", qk_norm="whole", sparse=False),
    Family("olmoe", "Olmoe", "before", qk_norm="whole", sparse=True),
    Family("llama", "Llama", "before", qk_norm="none", sparse=False),
)


REQUIRED = (
    "vocab_size",
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "intermediate_size",
    "max_position_embeddings",
    "rms_norm_eps",
)
SPARSE = ("num_experts", "num_experts_per_tok")


def family_of(config: ModelConfig) -> Family:
    """The architecture that computes what ``config`` says. Raises ConfigError if there is none."""
    shape = (config.norm_place, config.qk_norm, config.experts is not None)
    for family in FAMILIES:
        if (family.norm_place, family.qk_norm, family.sparse) == shape:
            if config.clip_qkv is not None and not family.sparse:
                raise ConfigError(f"clip_qkv: {family.prefix} of transformers cannot clip")
            return family
    known = "; ".join(
        f"{f.model_type}: norm_place {f.norm_place}, qk_norm {f.qk_norm}, experts {f.sparse}"
        for f in FAMILIES
    )
    raise ConfigError(
        f"no architecture of transformers has norm_place {shape[0]}, qk_norm {shape[1]}, "
        f"experts {shape[2]}; there are {known}"
    )


def to_hf(
    config: ModelConfig, special: Mapping[str, int], head: str = "CausalLM"
) -> dict[str, Any]:
    """The content of config.json. ``special``: ids of bos, eos and pad; ``head``: ``For<head>``."""
    family = family_of(config)
    values: dict[str, Any] = {
        "architectures": [f"{family.prefix}For{head}"],
        "model_type": family.model_type,
        "dtype": "float32",
        "vocab_size": config.vocab_size,
        "hidden_size": config.width,
        "intermediate_size": config.mlp_width,
        "num_hidden_layers": config.layers,
        "num_attention_heads": config.heads,
        "num_key_value_heads": config.key_heads,
        "hidden_act": "silu",
        "max_position_embeddings": config.sequence,
        "initializer_range": config.init_std,
        "rms_norm_eps": config.norm_eps,
        "rope_parameters": {"rope_type": "default", "rope_theta": config.rope_theta},
        "attention_bias": False,
        "attention_dropout": 0.0,
        "tie_word_embeddings": config.tied,
        "use_cache": True,
        **{f"{name}_token_id": special[name] for name in ("bos", "eos", "pad")},
    }
    if config.experts is not None:
        values |= {
            "num_experts": config.experts.count,
            "num_experts_per_tok": config.experts.chosen,
            "norm_topk_prob": config.experts.renormalise,
            "router_aux_loss_coef": config.experts.balance_weight,
            "router_z_loss_coef": config.experts.z_weight,
            "output_router_logits": False,
            "clip_qkv": config.clip_qkv,
        }
    return values


def from_hf(values: Mapping[str, Any], where: str) -> ModelConfig:
    """Our configuration of a ``config.json``. Raises ArtifactError for what we cannot compute."""
    types = {f.model_type: f for f in FAMILIES}
    kind = str(values.get("model_type"))
    if kind not in types:
        raise ArtifactError(f"{where}: {unknown('model type', kind, types)}")
    family = types[kind]
    if absent := [k for k in (*REQUIRED, *(SPARSE if family.sparse else ())) if k not in values]:
        raise ArtifactError(f"{where}: has no key {absent[0]!r}")
    _refuse_what_differs(values, where)
    ours: dict[str, Any] = {
        "vocab_size": values["vocab_size"],
        "width": values["hidden_size"],
        "layers": values["num_hidden_layers"],
        "heads": values["num_attention_heads"],
        "kv_heads": values.get("num_key_value_heads") or 0,
        "mlp_width": values["intermediate_size"],
        "sequence": values["max_position_embeddings"],
        "norm_place": family.norm_place,
        "norm_eps": values["rms_norm_eps"],
        "qk_norm": family.qk_norm,
        "clip_qkv": values.get("clip_qkv"),
        "rope_theta": _rope(values)["rope_theta"],
        "tied": values.get("tie_word_embeddings", False),
        "init_std": values.get("initializer_range", 0.02),
    }
    if family.sparse:
        ours["experts"] = {
            "count": values["num_experts"],
            "chosen": values["num_experts_per_tok"],
            "renormalise": values.get("norm_topk_prob", False),
            "balance_weight": values.get("router_aux_loss_coef", 0.01),
            "z_weight": values.get("router_z_loss_coef", 0.001),
        }
    return validated(ModelConfig, ours, where)


def _rope(values: Mapping[str, Any]) -> dict[str, Any]:
    """The rotary parameters; transformers before version 5 wrote theta at the top."""
    old = {"rope_theta": values.get("rope_theta", 10_000.0)}
    scaling = values.get("rope_scaling") or {}
    return {**old, **scaling, **(values.get("rope_parameters") or {})}


def _refuse_what_differs(values: Mapping[str, Any], where: str) -> None:
    width, heads = values["hidden_size"], values["num_attention_heads"]
    found = {
        "rope type": (_rope(values).get("rope_type", "default"), "default"),
        "hidden_act": (values.get("hidden_act", "silu"), "silu"),
        "attention_bias": (values.get("attention_bias", False), False),
        "mlp_bias": (values.get("mlp_bias", False), False),
        "head_dim": (values.get("head_dim") or width // heads, width // heads),
    }
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
