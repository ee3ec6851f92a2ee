"""One decoder-only transformer for every family that ``ModelConfig`` describes.

Shapes: ``B`` sequences, ``T`` tokens, ``D`` width, ``V`` vocabulary, ``S`` tokens seen.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from olmeda.base.errors import ConfigError, InputError
from olmeda.model.attention import Attention, Places, Rotation
from olmeda.model.cache import Cache
from olmeda.model.config import ModelConfig
from olmeda.model.init import initialise
from olmeda.model.linear import Linear
from olmeda.model.mlp import build_mlp
from olmeda.model.moe import MoE, RouterOutput
from olmeda.model.norm import build_norm
from olmeda.model.rope import rotary_table
from olmeda.model.segments import Segments


@dataclass(frozen=True)
class Hidden:
    """What a forward pass leaves: the normalised last layer, and each MoE layer's routing."""

    h_BTD: Tensor
    routers: list[RouterOutput] = field(default_factory=list)


class Block(nn.Module):
    """Attention and an MLP (or experts), each beside a residual stream, normed before or after."""

    def __init__(self, config: ModelConfig, layer: int) -> None:
        super().__init__()
        self.norm_before = config.norm_place == "before"
        self.attention = Attention(config, layer)
        self.attention_norm = build_norm(config)
        self.mlp = build_mlp(config) if config.experts_of(layer) is None else MoE(config)
        self.mlp_norm = build_norm(config)

    def forward(self, x_BTD: Tensor, places: Places) -> tuple[Tensor, RouterOutput | None]:
        """Return the stream after this block, and the routing of its experts if it has any."""
        if self.norm_before:
            x_BTD = x_BTD + self.attention(self.attention_norm(x_BTD), places)
            y_BTD, routed = self._mlp(self.mlp_norm(x_BTD), places)
            return x_BTD + y_BTD, routed
        x_BTD = self.attention_norm(self.attention(x_BTD, places), x_BTD)
        y_BTD, routed = self._mlp(x_BTD, places)
        return self.mlp_norm(y_BTD, x_BTD), routed

    def _mlp(self, x_BTD: Tensor, places: Places) -> tuple[Tensor, RouterOutput | None]:
        if isinstance(self.mlp, MoE):
            y_BTD, routed = self.mlp(x_BTD, places.real_BT)
            return y_BTD, routed
        return self.mlp(x_BTD), None


class Transformer(nn.Module):
    """Token ids in, hidden states out; ``logits`` applies the head.

    The weights are unset: fill them with ``Transformer.initialised`` or ``hf.load``.
    """

    rope_cos: Tensor
    rope_sin: Tensor
    near_cos: Tensor
    near_sin: Tensor

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.embed = nn.Parameter(torch.empty(config.vocab_size, config.width))
        self.blocks = nn.ModuleList(Block(config, layer) for layer in range(config.layers))
        self.norm = build_norm(config)
        self.head = None if config.tied else Linear(config.width, config.vocab_size)
        for name in ("rope_cos", "rope_sin", "near_cos", "near_sin"):
            self.register_buffer(name, torch.empty(0), persistent=False)
        self.fill_tables()

    def fill_tables(self) -> None:
        """Compute the rotary tables where the weights are: after moving off the meta device."""
        config, device = self.config, self.embed.device
        for places, scaling in (("rope", config.rope_scaling), ("near", None)):
            if places == "near" and not config.window:
                continue
            table = rotary_table(config.sequence, config.head_width, config.rope_theta, scaling)
            for name, values in zip(("cos", "sin"), table, strict=True):
                setattr(self, f"{places}_{name}", values[:, None].to(device))

    @classmethod
    def initialised(cls, config: ModelConfig, seed: int) -> Transformer:
        """A model with weights drawn from ``seed``: the same on every machine and thread count."""
        model = cls(config)
        initialise(model, config, torch.Generator().manual_seed(seed))
        return model

    @property
    def head_weight(self) -> Tensor:
        """The ``[V, D]`` matrix of the head (the embedding, where tied)."""
        return self.embed if self.head is None else self.head.weight

    def forward(
        self,
        ids_BT: Tensor,
        cache: Cache | None = None,
        segments: Segments | None = None,
        real_BT: Tensor | None = None,
    ) -> Hidden:
        """Read ``ids_BT`` (int64), after the tokens in ``cache`` if there is one.

        ``segments``: stretches of the rows that see only themselves; not together with a cache.
        Rows may be padded on the right with any id: attention is causal, so no real token sees
        padding; only experts that choose tokens need ``real_BT``, which tokens are no padding.
        Raises InputError past ``config.sequence`` tokens, ConfigError for a cache and such experts.
        """
        places = self._places(ids_BT, cache, segments)
        places.real_BT = real_BT
        x_BTD = nn.functional.embedding(ids_BT, self.embed)
        routers = []
        for block in self.blocks:
            x_BTD, routed = block(x_BTD, places)
            if routed is not None:
                routers.append(routed)
        if cache is not None:
            cache.lengths_B = cache.lengths_B + ids_BT.shape[1]
        return Hidden(self.norm(x_BTD), routers)

    def logits(self, h_BTD: Tensor) -> Tensor:
        """Scores of every next token, ``[..., V]``."""
        scores = nn.functional.linear(h_BTD, self.embed) if self.head is None else self.head(h_BTD)
        cap = self.config.logit_softcap
        return cap * torch.tanh(scores / cap) if cap else scores

    def _places(self, ids_BT: Tensor, cache: Cache | None, segments: Segments | None) -> Places:
        new = ids_BT.shape[1]
        upto = new if cache is None else int(cache.lengths_B.max()) + new
        if upto > self.config.sequence:
            raise InputError(
                f"{upto} tokens are more than the model's context of {self.config.sequence}; "
                "shorten the text, or train with a longer sequence"
            )
        if cache is None:
            return Places(ids_BT, *self._turns(slice(new)), segments=segments)
        assert segments is None, "a cache holds one document a row"
        experts = self.config.experts
        if experts is not None and experts.choice == "expert":
            raise ConfigError(
                "experts that choose tokens choose among whole sequences, so that nothing can be "
                "continued token by token; train with experts.choice=token to generate"
            )
        positions_BT = cache.positions(new)
        far, near = self._turns(positions_BT)
        far_mask, near_mask = None, None
        if upto > new:
            behind_BTS = positions_BT[..., None] - torch.arange(upto, device=ids_BT.device)
            far_mask = (behind_BTS >= 0)[:, None]
            if self.config.window:
                near_mask = far_mask & (behind_BTS < self.config.window)[:, None]
        return Places(ids_BT, far, near, cache, positions_BT, upto, far_mask, near_mask)

    def _turns(self, at: slice | Tensor) -> tuple[Rotation, Rotation]:
        """The rotations of these positions, in layers that see all and in those with a window."""
        far = self.rope_cos[at], self.rope_sin[at]
        if not self.config.window:
            return far, far
        return far, (self.near_cos[at], self.near_sin[at])
