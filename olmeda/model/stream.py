"""Weights read from disk straight into parameters: no second copy, and no mapped pages either.

Pages of a mapped file count as memory of the process while they are held. Here a tensor of the
parameter's own type is read into the parameter, one of another type goes through a small buffer.
"""

from __future__ import annotations

from collections.abc import Mapping
from io import FileIO

import torch
from torch import Tensor

from olmeda.artifacts.checkpoint import Checkpoint
from olmeda.artifacts.tensors import Slot, slots_of
from olmeda.base.errors import ArtifactError

TYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
}
"""The dtypes of safetensors that weights may have."""
PIECE = 1 << 22
"""Bytes of a tensor read at once where it has to be converted or moved."""


@torch.no_grad()
def read_into(checkpoint: Checkpoint, targets: Mapping[str, Tensor]) -> None:
    """Fill each target with the tensor of its name, file by file in the order of the disk.

    Targets are contiguous. Raises ArtifactError for another shape, a type that is no float, and a
    file that ends early.
    """
    slots = {name: slot for name, slot in slots_of(checkpoint).items() if name in targets}
    for name, slot in slots.items():
        where, needs = f"{slot.file}: {name}", list(targets[name].shape)
        if list(slot.shape) != needs:
            raise ArtifactError(f"{where} is {list(slot.shape)}, but config.json asks for {needs}")
        if slot.dtype not in TYPES:
            raise ArtifactError(f"{where} is {slot.dtype}; weights may be {', '.join(TYPES)}")
    for file in dict.fromkeys(slot.file for slot in slots.values()):
        with open(file, "rb", buffering=0) as handle:
            for name, slot in slots.items():
                if slot.file == file:
                    _read(handle, slot, targets[name].view(-1), f"{file}: {name}")


def _read(handle: FileIO, slot: Slot, target_N: Tensor, where: str) -> None:
    handle.seek(slot.offset)
    dtype = TYPES[slot.dtype]
    direct = target_N.dtype == dtype and target_N.device.type == "cpu"
    step = PIECE // dtype.itemsize
    buffer = torch.empty(0 if direct else min(step, slot.size), dtype=dtype)
    for start in range(0, slot.size, step):
        piece = target_N[start : start + step]
        held = piece if direct else buffer[: len(piece)]
        _exactly(handle, held.view(torch.uint8).numpy().data, where)
        if not direct:
            piece.copy_(held)


def _exactly(handle: FileIO, room: memoryview, where: str) -> None:
    while room:
        got = handle.readinto(room)
        if not got:
            raise ArtifactError(f"{where}: the file ends inside it; copy or make it again")
        room = room[got:]
