"""The weights of a checkpoint as they are written: tensor by tensor, in files of a bounded size."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from olmeda.artifacts.checkpoint import INDEX, WEIGHTS
from olmeda.artifacts.tensors import STORED, TensorWriter
from olmeda.base.files import write_json

SHARD_BYTES = 5_000_000_000
"""The largest file of weights, unless one tensor alone is larger."""

Layout = Mapping[str, tuple[str, tuple[int, ...]]]
"""Tensor name -> (dtype as safetensors names it, shape), in the order of writing."""


def write_weights(
    folder: Path,
    layout: Layout,
    tensors: Iterable[tuple[str, np.ndarray]],
    shard_bytes: int = SHARD_BYTES,
) -> None:
    """Write float tensors in the order of ``layout``, each rounded to its dtype there.

    One ``model.safetensors``, or numbered shards and an index where it would be larger than
    ``shard_bytes``. Memory is one tensor.
    """
    shards = _shards(layout, shard_bytes)
    names = [WEIGHTS]
    if len(shards) > 1:
        stem = WEIGHTS.removesuffix(".safetensors")
        count = len(shards)
        names = [f"{stem}-{n:05d}-of-{count:05d}.safetensors" for n in range(1, count + 1)]
    rest = iter(tensors)
    for file, shard in zip(names, shards, strict=True):
        with TensorWriter(folder / file, {name: layout[name] for name in shard}) as writer:
            for wanted in shard:
                name, values = next(rest)
                assert name == wanted, f"{name} is out of order"
                writer.write(name, values)
    if len(shards) > 1:
        size = sum(_bytes(*layout[name]) for name in layout)
        held = {name: file for file, shard in zip(names, shards, strict=True) for name in shard}
        write_json(folder / INDEX, {"metadata": {"total_size": size}, "weight_map": held})


def _shards(layout: Layout, most: int) -> list[list[str]]:
    """Names of tensors by file, in order, none larger than ``most`` but for a single tensor."""
    shards: list[list[str]] = [[]]
    room = most
    for name, announced in layout.items():
        size = _bytes(*announced)
        if size > room and shards[-1]:
            shards.append([])
            room = most
        shards[-1].append(name)
        room -= size
    return shards


def _bytes(dtype: str, shape: tuple[int, ...]) -> int:
    return math.prod(shape) * np.dtype(STORED[dtype]).itemsize
