"""Parameters and floating-point operations of a configuration, without building the model."""

from __future__ import annotations

from olmeda.model.config import ModelConfig


def parameters(config: ModelConfig) -> int:
    """Numbers in all weights, embedding and head included."""
    experts = config.experts.count if config.experts else 1
    return _embeddings(config) + _rest(config, experts)


def active_parameters(config: ModelConfig) -> int:
    """Numbers that one token's forward pass uses: of the experts, only the chosen ones."""
    chosen = config.experts.chosen if config.experts else 1
    return _embeddings(config) + _rest(config, chosen)


def flops_per_token(config: ModelConfig, tokens: int, *, training: bool = True) -> float:
    """Operations for one token of a sequence of ``tokens``; backward counts twice forward.

    Matrix products count 2 for each weight, causal attention 4 * width for each token seen
    (``tokens / 2`` on average); norms, activations and the embedding's look-up count nothing.
    """
    chosen = config.experts.chosen if config.experts else 1
    head = config.vocab_size * config.width
    products = 2 * (_matrices(config, chosen) + head)
    attention = 4 * config.layers * config.width * tokens / 2
    return (3 if training else 1) * (products + attention)


def _embeddings(config: ModelConfig) -> int:
    return (1 if config.tied else 2) * config.vocab_size * config.width


def _rest(config: ModelConfig, experts: int) -> int:
    key_width = config.key_heads * config.head_width
    norms = 2 * config.width + (config.width + key_width if config.qk_norm == "whole" else 0)
    return _matrices(config, experts) + config.layers * norms + config.width


def _matrices(config: ModelConfig, experts: int) -> int:
    key_width = config.key_heads * config.head_width
    attention = 2 * config.width * (config.width + key_width)
    mlp = experts * 3 * config.width * config.mlp_width
    router = config.width * config.experts.count if config.experts else 0
    return config.layers * (attention + mlp + router)
