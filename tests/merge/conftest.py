"""Tiny checkpoints to merge: a few tensors, a configuration and a tokenizer's bytes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from olmeda.artifacts.tensors import TensorWriter
from olmeda.base.files import write_json

SHAPES = {
    "model.embed_tokens.weight": (12, 4),
    "model.norm.weight": (4,),
    "lm_head.weight": (12, 4),
}
CONFIG = {"model_type": "olmo2", "tie_word_embeddings": False, "num_attention_heads": 2,
          "torch_dtype": "float32"}  # fmt: skip


def write_model(
    folder: Path,
    seed: int,
    dtype: str = "F32",
    shapes: dict[str, tuple[int, ...]] | None = None,
    without: str = "",
    config: dict[str, object] | None = None,
    tokenizer: str = "{}",
) -> Path:
    """A folder in the checkpoint layout with normal weights drawn from ``seed``.

    ``shapes`` are added to (or replace) the usual ones, the tensor ``without`` is left out.
    """
    shapes = {n: s for n, s in (SHAPES | (shapes or {})).items() if n != without}
    folder.mkdir(parents=True)
    write_json(folder / "config.json", CONFIG | (config or {}))
    (folder / "tokenizer.json").write_text(tokenizer)
    draws = np.random.default_rng(seed)
    layout = {name: (dtype, shape) for name, shape in shapes.items()}
    with TensorWriter(folder / "model.safetensors", layout) as out:
        for name, shape in shapes.items():
            out.write(name, draws.standard_normal(shape))
    return folder


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Path]:
    """``make(name, seed, ...)`` writes one tiny model below a temporary folder."""

    def write(name: str, seed: int, **changes: object) -> Path:
        return write_model(tmp_path / name, seed, **changes)  # type: ignore[arg-type]

    return write
