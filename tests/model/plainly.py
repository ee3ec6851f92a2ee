"""The model once more, as its formulas stand in papers: no fused product, cache or kernel."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import layer_norm, silu

from olmeda.model.config import ModelConfig
from olmeda.model.hf_names import parts, views
from olmeda.model.rope import rotary_table
from olmeda.model.transformer import Transformer


def logits(model: Transformer, ids_T: Tensor) -> Tensor:
    """The scores ``[T, V]`` of one dense sequence, in float64."""
    config = model.config
    w = {name: t.double() for name, t in views(model, parts(config)).items()}
    x = w["model.embed_tokens.weight"][ids_T]
    for layer in range(config.layers):
        own = {n.partition(f"layers.{layer}.")[2]: t for n, t in w.items() if f"s.{layer}." in n}
        if config.norm_place == "before":
            x = x + _attention(config, own, layer, _norm(config, own, "input_layernorm", x), ids_T)
            x = x + _mlp(config, own, _norm(config, own, "post_attention_layernorm", x))
        else:
            y = _attention(config, own, layer, x, ids_T)
            x = x + _norm(config, own, "post_attention_layernorm", y)
            x = x + _norm(config, own, "post_feedforward_layernorm", _mlp(config, own, x))
    x = _norm(config, w, "model.norm", x)
    scores = x @ (w["model.embed_tokens.weight"] if config.tied else w["lm_head.weight"]).T
    return _capped(scores, config.logit_softcap)


def _capped(x: Tensor, cap: float) -> Tensor:
    return cap * torch.tanh(x / cap) if cap else x


def _norm(config: ModelConfig, w: dict[str, Tensor], name: str, x: Tensor) -> Tensor:
    if config.norm == "rms":
        return _rms(x, w[f"{name}.weight"], config.norm_eps)
    weight, bias = w.get(f"{name}.weight"), w.get(f"{name}.bias")
    return layer_norm(x, x.shape[-1:], weight, bias, config.norm_eps)


def _rms(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    return x / (x.square().mean(-1, keepdim=True) + eps).sqrt() * weight


def _attention(
    config: ModelConfig, w: dict[str, Tensor], layer: int, x: Tensor, ids_T: Tensor
) -> Tensor:
    width, each = config.head_width, config.heads // config.key_heads
    q, k, v = (x @ w[f"self_attn.{n}_proj.weight"].T for n in "qkv")
    if config.qk_norm == "whole":
        q, k = (
            _rms(t, w[f"self_attn.{n}_norm.weight"], config.norm_eps)
            for t, n in zip((q, k), "qk", strict=True)
        )
    if config.has_value_embedding(layer):
        share = w["self_attn.value_embedding.share"].repeat_interleave(width)
    out = []
    for head in range(config.heads):
        mine = slice(head * width, head * width + width)
        theirs = slice(head // each * width, head // each * width + width)
        one_q, one_k, one_v = q[:, mine], k[:, theirs], v[:, theirs]
        if config.qk_norm == "head":
            one_q, one_k = (
                _rms(t, w[f"self_attn.{n}_norm.weight"], config.norm_eps)
                for t, n in zip((one_q, one_k), "qk", strict=True)
            )
        if config.clip_qkv is not None:
            one_q, one_k, one_v = (
                t.clamp(-config.clip_qkv, config.clip_qkv) for t in (one_q, one_k, one_v)
            )
        if config.turns(layer):
            one_q, one_k = _turned(config, layer, one_q), _turned(config, layer, one_k)
        if config.has_value_embedding(layer):
            of_token = w["self_attn.value_embedding.weight"][ids_T]
            one_v = one_v + (share * of_token)[:, theirs]
        scores = _capped(one_q @ one_k.T / math.sqrt(width), config.attention_softcap)
        for t in range(len(x)):
            scores[t, t + 1 :] = -torch.inf
            if not config.sees_all(layer):
                scores[t, : max(t + 1 - config.window, 0)] = -torch.inf
        out.append(torch.softmax(scores, -1) @ one_v)
    return torch.cat(out, -1) @ w["self_attn.o_proj.weight"].T


def _turned(config: ModelConfig, layer: int, x: Tensor) -> Tensor:
    scaling = config.rope_scaling if config.sees_all(layer) else None
    cos, sin = rotary_table(len(x), x.shape[1], config.rope_theta, scaling)
    first, second = x.chunk(2, -1)
    return torch.cat((first * cos - second * sin, second * cos + first * sin), -1)


def _mlp(config: ModelConfig, w: dict[str, Tensor], x: Tensor) -> Tensor:
    up = x @ w["mlp.up_proj.weight"].T
    if config.activation == "relu2":
        hidden = up.clamp(min=0) ** 2
    else:
        hidden = silu(x @ w["mlp.gate_proj.weight"].T) * up
    return hidden @ w["mlp.down_proj.weight"].T
