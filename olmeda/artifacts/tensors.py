"""Tensors on disk: safetensors files read and written one tensor at a time, with numpy alone.

The whole-file writer of the safetensors package would hold a model in memory; a sweep writes many
models at once, so here every output is a stream. Layout of a file: eight bytes with the length of
a JSON header, the header (name -> dtype, shape, byte offsets), then the tensors back to back.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from olmeda.artifacts.checkpoint import Checkpoint
from olmeda.base.errors import ArtifactError
from olmeda.base.files import fsync_folder

STORED = {"F64": np.float64, "F32": np.float32, "F16": np.float16, "BF16": np.uint16}
"""How each float type of the format lies in memory; numpy knows no bfloat16, its bits do."""


@dataclass(frozen=True)
class Slot:
    """Where one tensor lies: its file, dtype as the format names it, shape and byte offset."""

    file: Path
    dtype: str
    shape: tuple[int, ...]
    offset: int

    @property
    def size(self) -> int:
        """The number of elements."""
        return math.prod(self.shape)


def slots_of(checkpoint: Checkpoint) -> dict[str, Slot]:
    """Where each tensor of a checkpoint lies, by name, in file order. Reads headers only."""
    found: dict[str, Slot] = {}
    for file in dict.fromkeys(checkpoint.files.values()):
        slots = _header(file)
        found |= dict(sorted(slots.items(), key=lambda item: item[1].offset))
    return found


def _header(file: Path) -> dict[str, Slot]:
    size = file.stat().st_size
    with open(file, "rb") as handle:
        length = int.from_bytes(handle.read(8), "little")
        entries = json.loads(handle.read(length))
    entries.pop("__metadata__", None)
    slots = {}
    for name, entry in entries.items():
        begin, end = entry["data_offsets"]
        if 8 + length + end > size:
            raise ArtifactError(f"{file}: cut short inside {name}; copy or make it again")
        slots[name] = Slot(file, entry["dtype"], tuple(entry["shape"]), 8 + length + begin)
    return slots


def read_slot(slot: Slot) -> np.ndarray:
    """One tensor as float32 (from 16-bit types) or in its own width, memory read once."""
    raw = np.fromfile(slot.file, STORED[slot.dtype], slot.size, offset=slot.offset)
    return widened(raw, slot.dtype).reshape(slot.shape)


def widened(stored: np.ndarray, dtype: str) -> np.ndarray:
    """Stored values as float32 (BF16, F16, F32) or float64 (F64); exact."""
    if dtype == "BF16":
        return (stored.astype(np.uint32) << 16).view(np.float32)
    return stored.astype(np.float32) if dtype == "F16" else stored


def narrowed(values: np.ndarray, dtype: str) -> np.ndarray:
    """Float values as stored: each rounded once, to nearest, halves to even.

    float64 goes to BF16 through float32 rounded to odd, because two roundings to nearest can
    differ from one (Boldo and Melquiond, "When double rounding is odd", 2005).
    """
    if dtype != "BF16":
        with np.errstate(over="ignore"):  # beyond the largest value: infinity, as IEEE says
            return values.astype(STORED[dtype])
    bits = _odd_float32(values).view(np.uint32)
    rounded = (bits + (((bits >> 16) & 1) + np.uint32(0x7FFF))) >> 16
    is_nan = (bits & 0x7FFFFFFF) > 0x7F800000
    return np.where(is_nan, (bits >> 16) | 0x40, rounded).astype(np.uint16)


def _odd_float32(values: np.ndarray) -> np.ndarray:
    """float32 such that a later rounding to fewer bits equals one direct rounding."""
    with np.errstate(over="ignore"):
        near = np.ascontiguousarray(values, dtype=np.float32)
    if values.dtype == np.float32:
        return near
    inexact = (near.astype(np.float64) != values) & np.isfinite(near)
    beyond = np.abs(near.astype(np.float64)) > np.abs(values)
    bits = near.view(np.uint32)
    truncated = np.where(inexact & beyond, bits - 1, bits)
    return np.where(inexact, truncated | 1, bits).astype(np.uint32).view(np.float32)


class TensorWriter:
    """A safetensors file written tensor by tensor in the order announced; whole or absent.

    Use as a context manager. Memory is one tensor.
    """

    def __init__(self, file: Path, layout: Mapping[str, tuple[str, Sequence[int]]]) -> None:
        """``layout``: name -> (dtype of the format, shape), in the order of writing."""
        self.file, self.layout = file, dict(layout)
        self._temporary = file.with_name(f".{file.name}.part")
        self._waiting = list(self.layout)

    def __enter__(self) -> Self:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self._out = open(self._temporary, "wb")
        self._out.write(_encoded_header(self.layout))
        return self

    def write(self, name: str, values: np.ndarray) -> None:
        """Append one tensor, rounded to its announced dtype."""
        dtype, shape = self.layout[name]
        assert self._waiting.pop(0) == name, f"{name} is out of order"
        assert values.shape == tuple(shape), (name, values.shape, shape)
        self._out.write(np.ascontiguousarray(narrowed(values, dtype)).data)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        if kind is not None:
            self._out.close()
            self._temporary.unlink()
            return
        assert not self._waiting, f"never written: {self._waiting}"
        self._out.flush()
        os.fsync(self._out.fileno())
        self._out.close()
        os.replace(self._temporary, self.file)
        fsync_folder(self.file.parent)


def _encoded_header(layout: Mapping[str, tuple[str, Sequence[int]]]) -> bytes:
    entries: dict[str, object] = {"__metadata__": {"format": "pt"}}
    offset = 0
    for name, (dtype, shape) in layout.items():
        end = offset + math.prod(shape) * np.dtype(STORED[dtype]).itemsize
        entries[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # the format aligns the data to eight bytes
    return len(text).to_bytes(8, "little") + text
