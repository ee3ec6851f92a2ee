"""Causal self-attention with rotary positions and, where asked, normalised queries and keys.

Shapes: ``B`` sequences, ``T`` new tokens, ``S`` tokens seen, ``D`` width, ``H`` heads,
``G`` key heads, ``C`` head width.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from olmeda.model.cache import Cache
from olmeda.model.config import ModelConfig
from olmeda.model.linear import Linear
from olmeda.model.norm import RMSNorm
from olmeda.model.rope import rotate


@dataclass
class Places:
    """Where the tokens of one call stand: what all layers share.

    ``mask`` is None where plain causal attention is right (no cache, or an empty one).
    """

    cos: Tensor
    sin: Tensor
    cache: Cache | None = None
    positions_BT: Tensor | None = None
    upto: int = 0
    mask_B1TS: Tensor | None = None


class Attention(nn.Module):
    """Queries, keys and values from one fused product; stored apart in checkpoints."""

    def __init__(self, config: ModelConfig, layer: int) -> None:
        super().__init__()
        self.layer, self.clip = layer, config.clip_qkv
        self.heads, self.key_heads = config.heads, config.key_heads
        self.head_width = config.head_width
        key_width = config.key_heads * config.head_width
        self.widths = [config.width, key_width, key_width]
        self.qkv = Linear(config.width, sum(self.widths))
        self.out = Linear(config.width, config.width)
        self.q_norm = RMSNorm(config.width, config.norm_eps) if config.qk_norm else nn.Identity()
        self.k_norm = RMSNorm(key_width, config.norm_eps) if config.qk_norm else nn.Identity()

    def forward(self, x_BTD: Tensor, places: Places) -> Tensor:
        """Attend from every token to itself and the tokens before it."""
        q, k, v = self.qkv(x_BTD).split(self.widths, -1)
        q, k = self.q_norm(q), self.k_norm(k)
        if self.clip is not None:
            q, k, v = (t.clamp(-self.clip, self.clip) for t in (q, k, v))
        q_BTHC = rotate(q.unflatten(-1, (self.heads, self.head_width)), places.cos, places.sin)
        k_BTGC = rotate(k.unflatten(-1, (self.key_heads, self.head_width)), places.cos, places.sin)
        v_BTGC = v.unflatten(-1, (self.key_heads, self.head_width))
        keys, values = k_BTGC.transpose(1, 2), v_BTGC.transpose(1, 2)
        if places.cache is not None:
            assert places.positions_BT is not None
            keys, values = places.cache.put(
                self.layer, places.positions_BT, k_BTGC, v_BTGC, places.upto
            )
        mixed_BHTC = scaled_dot_product_attention(
            q_BTHC.transpose(1, 2), keys, values, attn_mask=places.mask_B1TS,
            is_causal=places.mask_B1TS is None, enable_gqa=self.heads != self.key_heads,
        )  # fmt: skip
        mixed: Tensor = self.out(mixed_BHTC.transpose(1, 2).flatten(-2))
        return mixed
