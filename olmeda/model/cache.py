"""Keys and values of the tokens read so far, for rows of different lengths.

Shapes: ``B`` rows in use, ``R`` rows there is room for, ``T`` new tokens, ``S`` room for tokens,
``G`` key heads, ``C`` head width.
"""

from __future__ import annotations

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
        self, config: ModelConfig, rows: int, size: int, device: torch.device | None = None
    ) -> None:
        shape = (rows, config.key_heads, size, config.head_width)
        self.keys = [torch.zeros(shape, device=device) for _ in range(config.layers)]
        self.values = [torch.zeros(shape, device=device) for _ in range(config.layers)]
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
        keys.view(-1, width).index_copy_(0, self._places, k_BTGC.reshape(-1, width))
        values.view(-1, width).index_copy_(0, self._places, v_BTGC.reshape(-1, width))
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

    def grow(self, size: int) -> None:
        """Make room for ``size`` tokens a row; what is held stays."""
        for layers in (self.keys, self.values):
            for layer, stored in enumerate(layers):
                rows, heads, held, width = stored.shape
                layers[layer] = stored.new_zeros(rows, heads, size, width)
                layers[layer][:, :, :held] = stored
        self.size = size
