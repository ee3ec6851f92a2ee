"""Keys and values of the tokens read so far, for rows of different lengths.

Shapes: ``B`` rows, ``T`` new tokens, ``S`` room for tokens, ``G`` key heads, ``C`` head width.
"""

from __future__ import annotations

import torch
from torch import Tensor

from olmeda.model.config import ModelConfig


class Cache:
    """Room for ``size`` tokens of each of ``rows`` sequences; row b holds ``lengths_B[b]``.

    Rows are filled from the left. Padding to the right of a row is written and then overwritten,
    and never seen: a query at position t sees the keys at positions up to t.
    """

    def __init__(self, config: ModelConfig, rows: int, size: int) -> None:
        shape = (rows, config.key_heads, size, config.head_width)
        self.keys = [torch.zeros(shape) for _ in range(config.layers)]
        self.values = [torch.zeros(shape) for _ in range(config.layers)]
        self.lengths_B = torch.zeros(rows, dtype=torch.long)
        self.size = size

    def positions(self, new: int) -> Tensor:
        """Positions ``[B, T]`` of the next ``new`` tokens of each row."""
        return self.lengths_B[:, None] + torch.arange(new)

    def put(
        self, layer: int, positions_BT: Tensor, k_BTGC: Tensor, v_BTGC: Tensor, upto: int
    ) -> tuple[Tensor, Tensor]:
        """Store keys and values at their positions; return those up to ``upto``: ``[B,G,S,C]``."""
        rows_B1 = torch.arange(len(positions_BT))[:, None]
        keys, values = self.keys[layer], self.values[layer]
        keys[rows_B1, :, positions_BT] = k_BTGC
        values[rows_B1, :, positions_BT] = v_BTGC
        return keys[:, :, :upto], values[:, :, :upto]

    def keep(self, rows: Tensor) -> None:
        """Keep only these rows (indices), in this order."""
        self.keys = [k[rows] for k in self.keys]
        self.values = [v[rows] for v in self.values]
        self.lengths_B = self.lengths_B[rows]
