"""Keys and values of the tokens read so far, for rows of different lengths.

Shapes: ``B`` rows in use, ``R`` rows there is room for, ``T`` new tokens, ``S`` room for tokens,
``G`` key heads, ``C`` head width.
"""

from __future__ import annotations

import os

import torch
from torch import Tensor

from olmeda.model.config import ModelConfig


class Cache:
    """Room for ``size`` tokens of each of ``rows`` sequences; row b holds ``lengths_B[b]``.

    Rows are filled from the left. Padding to the right of a row is written and then overwritten,
    and never seen: a query at position t sees the keys at positions up to t. Only the first
    ``len(lengths_B)`` rows are in use; rows beyond them are room for more.
    """

    def __init__(
        self, config: ModelConfig, rows: int, size: int, like: Tensor | None = None
    ) -> None:
        """``like``: a weight of the model, for device and type of number; else float32, CPU."""
        shape = (rows, config.key_heads, size, config.head_width)
        like = torch.empty(0) if like is None else like
        device = like.device
        self.keys = [like.new_zeros(shape) for _ in range(config.layers)]
        self.values = [like.new_zeros(shape) for _ in range(config.layers)]
        self.lengths_B = torch.zeros(rows, dtype=torch.long, device=device)
        self.size = size
        self._first = 0
        self._places = torch.empty(0, dtype=torch.long)

    def positions(self, new: int) -> Tensor:
        """Positions ``[B, T]`` of the next ``new`` tokens of each row."""
        device = self.lengths_B.device
        positions_BT = self.lengths_B[:, None] + torch.arange(new, device=device)
        # where they lie in a layer's storage seen as [R G S, C]: the same for every layer
        heads = self.keys[0].shape[1]
        rows_B = torch.arange(len(positions_BT), device=device) + self._first
        heads_BG = rows_B[:, None] * heads + torch.arange(heads, device=device)
        self._places = (heads_BG[:, None] * self.size + positions_BT[..., None]).flatten()
        return positions_BT

    def put(
        self, layer: int, positions_BT: Tensor, k_BTGC: Tensor, v_BTGC: Tensor, upto: int
    ) -> tuple[Tensor, Tensor]:
        """Store keys and values at the positions that ``positions`` gave last; return those up to
        ``upto``: ``[B, G, S, C]``."""
        keys, values = self.keys[layer], self.values[layer]
        width = keys.shape[-1]
        for held, new_BTGC in ((keys, k_BTGC), (values, v_BTGC)):
            new_NC = new_BTGC.reshape(-1, width).to(held.dtype)  # under autocast of another type
            held.view(-1, width).index_copy_(0, self._places, new_NC)
        used = slice(self._first, self._first + len(positions_BT))
        return keys[used, :, :upto], values[used, :, :upto]

    def rows(self, first: int, count: int) -> Cache:
        """``count`` empty rows from ``first`` on as a cache that writes into this one."""
        part = object.__new__(Cache)
        part.keys, part.values, part.size = self.keys, self.values, self.size
        part.lengths_B = torch.zeros(count, dtype=torch.long, device=self.lengths_B.device)
        part._first, part._places = self._first + first, self._places
        return part

    def keep(self, rows: Tensor) -> None:
        """Keep only these rows (indices), in this order."""
        self.keys = [k[rows] for k in self.keys]
        self.values = [v[rows] for v in self.values]
        self.lengths_B = self.lengths_B[rows]

    def move(self, source: int, target: int) -> None:
        """Copy what row ``source`` holds over row ``target``."""
        upto = int(self.lengths_B[source])
        for stored in (*self.keys, *self.values):
            stored[target, :, :upto] = stored[source, :, :upto]
        self.lengths_B[target] = upto

    @property
    def room(self) -> int:
        """Rows there is room for."""
        return len(self.keys[0])

    def bytes(self, rows: int, size: int) -> int:
        """What ``rows`` of ``size`` tokens take."""
        _, heads, _, width = self.keys[0].shape
        return 2 * len(self.keys) * rows * heads * size * width * self.keys[0].element_size()

    def resize(self, rows: int, size: int) -> None:
        """Have room for ``rows`` of ``size`` tokens; what fits stays, and all where this fails."""
        keys, values = (
            [_resized(t, rows, size) for t in held] for held in (self.keys, self.values)
        )
        self.keys, self.values, self.size = keys, values, size


def _resized(held: Tensor, rows: int, size: int) -> Tensor:
    made = held.new_zeros(rows, held.shape[1], size, held.shape[3])
    kept = held[:rows, :, :size]
    made[: len(kept), :, : kept.shape[2]] = kept
    return made


def half_the_memory(device: torch.device) -> int:
    """Bytes: what keys and values may take where nothing else is asked."""
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory) // 2
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
