"""Tiny models of each family, and a tokenizer folder that fits them."""

from __future__ import annotations

from pathlib import Path

import pytest

from olmeda.base.files import write_json
from olmeda.model.config import ModelConfig, load_preset

TINY = {"vocab_size": 96, "width": 32, "layers": 2, "heads": 4, "sequence": 64}
DENSE = {**TINY, "mlp_width": 48}
BEFORE = {"norm_place": "before", "qk_norm": "none"}
FOUR = {"layers": 4, "rope_theta": 500.0}
HELD = {
    "dense": load_preset("tour-dense", **DENSE),
    "grouped": load_preset("tour-dense", **DENSE, kv_heads=2),
    "tied": load_preset("tour-dense", **DENSE, tied=True),
    "stretched": load_preset(
        "tour-dense",
        **DENSE,
        rope_scaling={"kind": "yarn", "factor": 4, "original": 16, "attention": 1.5},
    ),
    "moe": load_preset("tour-moe", **TINY, mlp_width=24),
    "renormalised": load_preset("tour-moe", **TINY, mlp_width=24, experts={"renormalise": True}),
    "clipped": load_preset("tour-moe", **TINY, mlp_width=24, clip_qkv=0.5),
    "reordered_moe": load_preset("tour-moe", **TINY, mlp_width=24, norm_place="after"),
    "llama": load_preset("tour-dense", **DENSE, **BEFORE),
    "llama3": load_preset(
        "tour-dense",
        **{**DENSE, **BEFORE, **FOUR},
        kv_heads=1,
        tied=True,
        rope_scaling={"kind": "llama3", "factor": 8, "original": 32},
    ),
    "linear": load_preset(
        "tour-dense", **DENSE, **BEFORE, rope_scaling={"kind": "linear", "factor": 2}
    ),
    "wide_heads": load_preset("tour-dense", **DENSE, **BEFORE, head_dim=12),
    "olmo1": load_preset(
        "tour-dense", **DENSE, **BEFORE, norm="plain_layer", norm_eps=1e-5, tied=True
    ),
    "olmo1_clipped": load_preset(
        "tour-dense", **DENSE, **BEFORE, norm="plain_layer", norm_eps=1e-5, clip_qkv=0.3
    ),
    "olmo3": load_preset("tour-dense", **{**DENSE, **FOUR}, window=7, full_every=2),
    "olmo3_stretched": load_preset(
        "tour-dense",
        **{**DENSE, **FOUR},
        window=7,
        full_every=3,
        kv_heads=2,
        rope_scaling={"kind": "yarn", "factor": 8, "original": 16},
    ),
    "smollm3": load_preset("tour-dense", **{**DENSE, **BEFORE, **FOUR}, no_rope_every=2, tied=True),
    "qwen3": load_preset("tour-dense", **{**DENSE, **BEFORE, "qk_norm": "head"}, head_dim=16),
}
"""Models that an architecture of transformers holds."""
OWN = {
    "relu2": load_preset("tour-dense", **DENSE, activation="relu2"),
    "softcaps": load_preset("tour-dense", **DENSE, attention_softcap=2.0, logit_softcap=0.2),
    "values": load_preset("tour-dense", **{**DENSE, **FOUR}, value_embeddings=3, kv_heads=2),
    "layer_norm": load_preset("tour-dense", **DENSE, norm="layer", tied=True),
    "head_norms": load_preset("tour-dense", **{**DENSE, "qk_norm": "head"}),
    "all_at_once": load_preset(
        "tour-dense",
        **{**DENSE, **BEFORE, **FOUR, "qk_norm": "whole"},
        kv_heads=2,
        head_dim=10,
        activation="relu2",
        window=5,
        full_every=2,
        no_rope_every=3,
        attention_softcap=3.0,
        logit_softcap=1.0,
        value_embeddings=2,
        clip_qkv=1.0,
        rope_scaling={"kind": "yarn", "factor": 2, "original": 32},
    ),
    "sparse_now_and_then": load_preset(
        "tour-moe",
        **{**TINY, **FOUR},
        mlp_width=24,
        experts={"every": 2, "shared": 1, "bias_rate": 0.01},
    ),
}
"""Models in our own layout."""
CONFIGS = {**HELD, **OWN}
BOTH = ["dense", "moe"]


@pytest.fixture(params=CONFIGS)
def config(request: pytest.FixtureRequest) -> ModelConfig:
    """Each family and option once."""
    return CONFIGS[request.param]


@pytest.fixture(params=HELD)
def held(request: pytest.FixtureRequest) -> ModelConfig:
    """Each that transformers can open."""
    return HELD[request.param]


@pytest.fixture(scope="session")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of a tokenizer that a checkpoint needs; nothing is encoded with it."""
    folder = tmp_path_factory.mktemp("tokenizer")
    added = [{"id": 0, "content": "<|endoftext|>"}, {"id": 1, "content": "<|padding|>"}]
    write_json(folder / "tokenizer.json", {"added_tokens": added})
    names = {"bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>", "pad_token": "<|padding|>"}
    write_json(folder / "tokenizer_config.json", names)
    return folder
