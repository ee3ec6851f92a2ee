"""Checkpoint: a model folder as transformers reads it; tensors by name, without model code.

Layout: ``config.json``, ``model.safetensors`` (or shards with an index), ``tokenizer.json`` and
``tokenizer_config.json``, ``generation_config.json``. ``progress.jsonl`` beside them holds what
training measured at each step, without clock times.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open

from olmeda.artifacts.lineage import RECORD, check
from olmeda.artifacts.tokenset import tokenizer_digest
from olmeda.base.errors import ArtifactError
from olmeda.base.files import read_json

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")


@dataclass(frozen=True)
class Checkpoint:
    """A model on disk: ``config`` is its config.json, ``files`` maps tensor names to files."""

    path: Path
    config: dict[str, Any] = field(hash=False)
    files: dict[str, Path] = field(hash=False)

    @classmethod
    def open(cls, path: Path) -> Checkpoint:
        """Open a checkpoint of ours or any folder in the same layout (then nothing is verified)."""
        if (path / RECORD).is_file():
            check(path, "checkpoint")
        if not (path / "config.json").is_file():
            raise ArtifactError(f"{path}: no checkpoint here (config.json is missing)")
        return cls(path, read_json(path / "config.json"), dict(_weight_files(path)))

    @property
    def names(self) -> list[str]:
        """Tensor names in file order."""
        return list(self.files)

    def read(self, name: str) -> np.ndarray:
        """One tensor in its stored dtype. Raises ArtifactError for an unknown name."""
        if name not in self.files:
            raise ArtifactError(f"{self.path}: has no tensor {name!r}")
        try:
            with safe_open(self.files[name], framework="numpy") as tensors:
                return np.asarray(tensors.get_tensor(name))
        except SafetensorError as problem:
            raise ArtifactError(f"{self.files[name]}: {problem}") from None

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of one tensor, without reading it."""
        with safe_open(self.files[name], framework="numpy") as tensors:
            return tuple(tensors.get_slice(name).get_shape())

    def tokenizer_digest(self) -> str:
        """The identity of the tokenizer the model was trained with."""
        return tokenizer_digest(self.path)


def _weight_files(path: Path) -> Iterator[tuple[str, Path]]:
    files = [path / WEIGHTS]
    if (path / INDEX).is_file():
        held = read_json(path / INDEX)["weight_map"].values()
        files = [path / name for name in dict.fromkeys(held)]
    for file in files:
        if not file.is_file() and (pickled := sorted(path.glob("*.bin"))):
            raise ArtifactError(
                f"{pickled[0]}: weights in pickle can run any program and are not opened; save the "
                "checkpoint as safetensors first"
            )
        if not file.is_file():
            raise ArtifactError(f"{file}: no such file; the checkpoint is incomplete")
        try:
            with safe_open(file, framework="numpy") as tensors:
                yield from ((name, file) for name in tensors.keys())  # noqa: SIM118 (no dict)
        except SafetensorError as problem:
            raise ArtifactError(f"{file}: not a whole safetensors file ({problem})") from None


def copy_tokenizer(source: Path, folder: Path) -> None:
    """Copy the tokenizer files of ``source`` into ``folder``."""
    tokenizer_digest(source)  # says what is missing
    folder.mkdir(parents=True, exist_ok=True)
    for name in (*TOKENIZER_FILES, "chat_template.jinja"):
        if (source / name).is_file():
            shutil.copyfile(source / name, folder / name)


def read_progress(path: Path) -> list[dict[str, Any]]:
    """The rows of ``progress.jsonl``: one a logged step, with ``step`` and ``tokens``."""
    file = path / "progress.jsonl"
    if not file.is_file():
        return []
    return [json.loads(line) for line in file.read_text().splitlines()]
