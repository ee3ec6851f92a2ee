"""Merged checkpoints are models: they open, and compute what their weights say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from olmeda.artifacts.checkpoint import Checkpoint
from olmeda.artifacts.tensors import read_slot, slots_of
from olmeda.base.files import write_json
from olmeda.merge.sweep import SweepConfig, sweep
from olmeda.model import hf
from olmeda.model.config import load_preset
from olmeda.model.transformer import Transformer

SHAPE = {"vocab_size": 64, "width": 16, "layers": 2, "heads": 2, "sequence": 32, "mlp_width": 24}


def tokenizer(folder: Path) -> Path:
    added = [{"id": 0, "content": "<|endoftext|>"}, {"id": 1, "content": "<|padding|>"}]
    write_json(folder / "tokenizer.json", {"added_tokens": added})
    names = {"bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>", "pad_token": "<|padding|>"}
    write_json(folder / "tokenizer_config.json", names)
    return folder


@torch.no_grad()
@pytest.mark.parametrize("preset", ["tour-dense", "tour-moe"])
def test_swept_models_open_and_interpolate(preset: str, tmp_path: Path) -> None:
    models = [Transformer.initialised(load_preset(preset, **SHAPE), seed) for seed in range(3)]
    names = ("base", "general", "skill")
    for name, model in zip(names, models):
        hf.save(model, tmp_path / name, tokenizer(tmp_path / "tokenizer"))
    base, general, skill = (tmp_path / name for name in names)
    made = sweep(
        SweepConfig(base=base, general=general, skills={"s": skill}, weights=[0.0, 0.5]),
        tmp_path / "sweep",
    )
    ids = torch.arange(20)[None]
    unchanged, expected = hf.load(made / "s-0.00"), hf.load(general)
    assert torch.equal(unchanged(ids).h_BTD, expected(ids).h_BTD)
    merged = dict(hf.load(made / "s-0.50").named_parameters())
    for name, value in merged.items():
        b, g, s = (dict(m.named_parameters())[name] for m in models)
        torch.testing.assert_close(value, g + 0.5 * (s - b))
    assert (made / "s-0.50" / "generation_config.json").is_file()


def test_files_of_the_safetensors_package_are_read_bit_for_bit(tmp_path: Path) -> None:
    draws = np.random.default_rng(0)
    tensors = {f"t{i}": draws.standard_normal((i + 1, 3)).astype(np.float32) for i in range(12)}
    write_json(tmp_path / "config.json", {"model_type": "x"})
    save_file(tensors, tmp_path / "model.safetensors")
    slots = slots_of(Checkpoint.open(tmp_path))
    assert {n: read_slot(s).tobytes() for n, s in slots.items()} == {
        n: t.tobytes() for n, t in tensors.items()
    }
