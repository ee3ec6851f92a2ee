"""Tiny models of each family, and a tokenizer folder that fits them."""

from __future__ import annotations

from pathlib import Path

import pytest

from olmeda.base.files import write_json
from olmeda.model.config import ModelConfig, load_preset

TINY = {"vocab_size": 96, "width": 32, "layers": 2, "heads": 4, "sequence": 64}
CONFIGS = {
    "dense": load_preset("tour-dense", **TINY, mlp_width=48),
    "grouped": load_preset("tour-dense", **TINY, mlp_width=48, kv_heads=2),
    "tied": load_preset("tour-dense", **TINY, mlp_width=48, tied=True),
    "moe": load_preset("tour-moe", **TINY, mlp_width=24),
    "renormalised": load_preset("tour-moe", **TINY, mlp_width=24, experts={"renormalise": True}),
    "clipped": load_preset("tour-moe", **TINY, mlp_width=24, clip_qkv=0.5),
    "llama": load_preset("tour-dense", **TINY, mlp_width=48, norm_place="before", qk_norm="none"),
}
BOTH = ["dense", "moe"]


@pytest.fixture(params=CONFIGS)
def config(request: pytest.FixtureRequest) -> ModelConfig:
    """Each family and option once."""
    return CONFIGS[request.param]


@pytest.fixture(scope="session")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of a tokenizer that a checkpoint needs; nothing is encoded with it."""
    folder = tmp_path_factory.mktemp("tokenizer")
    added = [{"id": 0, "content": "<|endoftext|>"}, {"id": 1, "content": "<|padding|>"}]
    write_json(folder / "tokenizer.json", {"added_tokens": added})
    names = {"bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>", "pad_token": "<|padding|>"}
    write_json(folder / "tokenizer_config.json", names)
    return folder
