"""Values that also say which token they come from (modded-nanogpt, records of December 2024).

Shapes: ``B`` sequences, ``T`` tokens, ``G`` key heads, ``C`` head width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ValueEmbedding(nn.Module):
    """``v + share * embed[token]``, with a share for each key head that is learned from 1."""

    def __init__(self, tokens: int, key_heads: int, head_width: int) -> None:
        super().__init__()
        self.embed = nn.Parameter(torch.empty(tokens, key_heads * head_width))
        self.share = nn.Parameter(torch.ones(key_heads))

    def forward(self, v_BTGC: Tensor, ids_BT: Tensor) -> Tensor:
        """The values with the embedding of their tokens added."""
        of_token_BTGC = nn.functional.embedding(ids_BT, self.embed).view_as(v_BTGC)
        return torch.addcmul(v_BTGC, of_token_BTGC, self.share[:, None])
