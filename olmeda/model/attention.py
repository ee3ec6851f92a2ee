"""Causal self-attention with rotary positions and, where asked, normalised queries and keys.

Shapes: ``B`` sequences, ``T`` new tokens, ``S`` tokens seen, ``D`` width, ``H`` heads,
``G`` key heads, ``C`` head width.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from olmeda.model.attend import attend, attend_cached
from olmeda.model.cache import Cache
from olmeda.model.config import ModelConfig
from olmeda.model.linear import Linear
from olmeda.model.norm import RMSNorm
from olmeda.model.rope import rotate
from olmeda.model.segments import Segments


@dataclass
class Places:
    """Where the tokens of one call stand: what all layers share.

    ``mask`` is None where plain causal attention is right (no cache, or an empty one).
    ``segments``: the stretches that see only themselves; never together with a cache.
    """

    cos: Tensor
    sin: Tensor
    cache: Cache | None = None
    positions_BT: Tensor | None = None
    upto: int = 0
    mask_B1TS: Tensor | None = None
    segments: Segments | None = None


class Attention(nn.Module):
    """Queries, keys and values from one fused product; stored apart in checkpoints."""

    def __init__(self, config: ModelConfig, layer: int) -> None:
        super().__init__()
        self.layer, self.clip = layer, config.clip_qkv
        self.heads, self.key_heads = config.heads, config.key_heads
        self.head_width = config.head_width
        query_width = config.heads * config.head_width
        key_width = config.key_heads * config.head_width
        self.widths = [query_width, key_width, key_width]
        self.qkv = Linear(config.width, sum(self.widths))
        self.out = Linear(query_width, config.width)
        whole = config.qk_norm == "whole"
        self.q_norm = RMSNorm(query_width, config.norm_eps) if whole else nn.Identity()
        self.k_norm = RMSNorm(key_width, config.norm_eps) if whole else nn.Identity()

    def forward(self, x_BTD: Tensor, places: Places) -> Tensor:
        """Attend from every token to itself and the tokens before it."""
        q, k, v = self.qkv(x_BTD).split(self.widths, -1)
        q, k = self.q_norm(q), self.k_norm(k)
        if self.clip is not None:
            q, k, v = (t.clamp(-self.clip, self.clip) for t in (q, k, v))
        q_BTHC = rotate(q.unflatten(-1, (self.heads, self.head_width)), places.cos, places.sin)
        k_BTGC = rotate(k.unflatten(-1, (self.key_heads, self.head_width)), places.cos, places.sin)
        v_BTGC = v.unflatten(-1, (self.key_heads, self.head_width))
        if places.cache is not None:
            assert places.positions_BT is not None
            keys, values = places.cache.put(
                self.layer, places.positions_BT, k_BTGC, v_BTGC, places.upto
            )
        if places.mask_B1TS is not None:
            mixed_BTHC = attend_cached(q_BTHC, keys, values, places.mask_B1TS)
        else:
            mixed_BTHC = attend(q_BTHC, k_BTGC, v_BTGC, segments=places.segments)
        mixed: Tensor = self.out(mixed_BTHC.flatten(-2))
        return mixed
