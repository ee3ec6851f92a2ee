"""Causal self-attention: projections, normalised queries and keys, rotary positions.

Shapes: ``B`` sequences, ``T`` new tokens, ``S`` tokens seen, ``D`` width, ``H`` heads,
``G`` key heads, ``C`` head width.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from olmeda.model.attend import attend, attend_cached
from olmeda.model.cache import Cache
from olmeda.model.config import ModelConfig
from olmeda.model.kernels.eligible import vectorises
from olmeda.model.linear import Linear
from olmeda.model.norm import RMSNorm
from olmeda.model.rope import rotate
from olmeda.model.segments import Segments
from olmeda.model.value_embedding import ValueEmbedding

Rotation = tuple[Tensor, Tensor]
"""Cosines and sines of positions."""


@dataclass
class Places:
    """Where the tokens of one call stand: what all layers share.

    ``far``: the rotation in layers that see all; ``near``: in those with a window, which need no
    stretched positions. The masks are for keys in a cache; None where plain causal attention is
    right (no cache, or an empty one). ``segments``: the stretches that see only themselves; never
    together with a cache.
    """

    ids_BT: Tensor
    far: Rotation
    near: Rotation
    cache: Cache | None = None
    positions_BT: Tensor | None = None
    upto: int = 0
    far_mask_B1TS: Tensor | None = None
    near_mask_B1TS: Tensor | None = None
    segments: Segments | None = None
    real_BT: Tensor | None = None
    """Which tokens are no padding, for experts that choose; absent: all."""


class Attention(nn.Module):
    """Queries, keys and values from one fused product; stored apart in checkpoints."""

    def __init__(self, config: ModelConfig, layer: int) -> None:
        super().__init__()
        self.layer, self.clip = layer, config.clip_qkv
        self.heads, self.key_heads, self.eps = config.heads, config.key_heads, config.norm_eps
        self.head_width = config.head_width
        self.window = 0 if config.sees_all(layer) else config.window
        self.softcap = config.attention_softcap
        self.turns, self.by_head = config.turns(layer), config.qk_norm == "head"
        query_width = config.heads * config.head_width
        key_width = config.key_heads * config.head_width
        self.widths = [query_width, key_width, key_width]
        self.qkv = Linear(config.width, sum(self.widths))
        self.out = Linear(query_width, config.width)
        normed = [config.head_width] * 2 if self.by_head else [query_width, key_width]
        self.q_norm, self.k_norm = (
            nn.Identity() if config.qk_norm == "none" else RMSNorm(width, config.norm_eps)
            for width in normed
        )
        self.values = None
        if config.has_value_embedding(layer):
            self.values = ValueEmbedding(config.vocab_size, config.key_heads, config.head_width)
        self.may_fuse = self.turns and self.clip is None and self.values is None

    def forward(self, x_BTD: Tensor, places: Places) -> Tensor:
        """Attend from every token to itself and the tokens before it that the layer sees."""
        if self._at_once(x_BTD, places):
            fused: Tensor = self.out(self._attended_at_once(self.qkv(x_BTD), places))
            return fused
        q_BTHC, k_BTGC, v_BTGC = self._queries_keys_values(x_BTD, places)
        mask_B1TS = places.near_mask_B1TS if self.window else places.far_mask_B1TS
        if places.cache is not None:
            assert places.positions_BT is not None
            keys, values = places.cache.put(
                self.layer, places.positions_BT, k_BTGC, v_BTGC, places.upto
            )
        if mask_B1TS is not None:
            mixed_BTHC = attend_cached(
                q_BTHC, keys, values, mask_B1TS,
                window=self.window, softcap=self.softcap, positions_BT=places.positions_BT,
            )  # fmt: skip
        else:
            mixed_BTHC = attend(
                q_BTHC, k_BTGC, v_BTGC,
                window=self.window, softcap=self.softcap, segments=places.segments,
            )  # fmt: skip
        mixed: Tensor = self.out(mixed_BTHC.flatten(-2))
        return mixed

    def _at_once(self, x_BTD: Tensor, places: Places) -> bool:
        """Whether one kernel takes norms, rotation and attention together."""
        if places.cache is not None or not self.may_fuse or torch.is_autocast_enabled("cpu"):
            return False
        norms = (self.q_norm, self.k_norm)
        if not all(type(norm) in (RMSNorm, nn.Identity) for norm in norms):
            return False  # replaced
        return vectorises(self.head_width // 2, x_BTD, *self.parameters())

    def _norm_weights(self) -> tuple[Tensor | None, Tensor | None]:
        if isinstance(self.q_norm, RMSNorm) and isinstance(self.k_norm, RMSNorm):
            return self.q_norm.weight, self.k_norm.weight
        return None, None

    def _attended_at_once(self, qkv_BTX: Tensor, places: Places) -> Tensor:
        from olmeda.model.kernels.attention import Seen
        from olmeda.model.kernels.turned_attention import Shape, turned_attention

        rows, tokens = qkv_BTX.shape[:2]
        segments = places.segments
        lengths = (tokens,) * rows if segments is None else segments.of(rows * tokens)
        cos, sin = (table.flatten(1) for table in (places.near if self.window else places.far))
        shape = Shape(self.heads, self.key_heads, self.head_width, self.eps)
        mixed_NHC = turned_attention(
            qkv_BTX.flatten(0, 1), *self._norm_weights(), cos, sin, shape,
            Seen(lengths, self.window, self.softcap),
        )  # fmt: skip
        return mixed_NHC.view(rows, tokens, -1)

    def _queries_keys_values(self, x_BTD: Tensor, places: Places) -> tuple[Tensor, Tensor, Tensor]:
        q, k, v = self.qkv(x_BTD).split(self.widths, -1)
        if not self.by_head:
            q, k = self.q_norm(q), self.k_norm(k)
        q_BTHC = q.unflatten(-1, (self.heads, self.head_width))
        k_BTGC, v_BTGC = (t.unflatten(-1, (self.key_heads, self.head_width)) for t in (k, v))
        if self.by_head:
            q_BTHC, k_BTGC = self.q_norm(q_BTHC), self.k_norm(k_BTGC)
        if self.clip is not None:
            q_BTHC, k_BTGC, v_BTGC = (
                t.clamp(-self.clip, self.clip) for t in (q_BTHC, k_BTGC, v_BTGC)
            )
        if self.turns:
            cos, sin = places.near if self.window else places.far
            q_BTHC, k_BTGC = rotate(q_BTHC, cos, sin), rotate(k_BTGC, cos, sin)
        if self.values is not None:
            v_BTGC = self.values(v_BTGC, places.ids_BT)
        return q_BTHC, k_BTGC, v_BTGC
