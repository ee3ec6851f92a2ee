"""Parameters and floating-point operations of a configuration, without building the model."""

from __future__ import annotations

from olmeda.model.config import ModelConfig


def parameters(config: ModelConfig) -> int:
    """Numbers in all weights, embedding and head included."""
    return _outside(config) + sum(
        _attention(config, layer) + _mlp(config, layer, active=False) + 2 * _norm(config)
        for layer in range(config.layers)
    )


def active_parameters(config: ModelConfig) -> int:
    """Numbers that one token's forward pass uses: of the experts, only the chosen and shared.

    Embeddings count whole, as they do in published figures.
    """
    return _outside(config) + sum(
        _attention(config, layer) + _mlp(config, layer, active=True) + 2 * _norm(config)
        for layer in range(config.layers)
    )


def flops_per_token(config: ModelConfig, tokens: int, *, training: bool = True) -> float:
    """Operations for one token of a sequence of ``tokens``; backward counts twice forward.

    Matrix products count 2 for each weight, causal attention ``4 heads head_width`` for each token
    seen; norms, activations and look-ups of embeddings count nothing.
    """
    weights = config.vocab_size * config.width
    seen = 0.0
    for layer in range(config.layers):
        weights += _projections(config) + _mlp(config, layer, active=True)
        seen += tokens_seen(config, layer, tokens)
    attention = 4 * config.heads * config.head_width * seen
    return (3 if training else 1) * (2 * weights + attention)


def tokens_seen(config: ModelConfig, layer: int, tokens: int) -> float:
    """Tokens that one of ``tokens`` attends to in a layer, on average: half, without a window.

    Triangles count as half their squares, so that ``tokens / 2`` means what it means elsewhere.
    """
    window = tokens if config.sees_all(layer) else min(config.window, tokens)
    return window - window**2 / (2 * tokens) if tokens else 0.0


def _outside(config: ModelConfig) -> int:
    """Embedding, head and the last norm."""
    return (1 if config.tied else 2) * config.vocab_size * config.width + _norm(config)


def _norm(config: ModelConfig) -> int:
    return {"rms": 1, "layer": 2, "plain_layer": 0}[config.norm] * config.width


def _projections(config: ModelConfig) -> int:
    """Weights of the products of queries, keys, values and output."""
    return 2 * config.width * config.head_width * (config.heads + config.key_heads)


def _attention(config: ModelConfig, layer: int) -> int:
    heads = config.heads + config.key_heads
    normed = {"none": 0, "whole": heads, "head": 2}[config.qk_norm] * config.head_width
    values = 0
    if config.has_value_embedding(layer):
        values = config.key_heads * (config.vocab_size * config.head_width + 1)
    return _projections(config) + normed + values


def _mlp(config: ModelConfig, layer: int, *, active: bool) -> int:
    matrices = 3 if config.activation == "swiglu" else 2
    experts = config.experts_of(layer)
    if experts is None:
        return matrices * config.width * config.dense_width
    used = (experts.chosen if active else experts.count) + experts.shared
    return config.width * (matrices * config.mlp_width * used + experts.count)
