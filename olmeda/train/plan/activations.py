"""What a forward pass keeps for the backward pass, counted from the configuration.

The counts are of this package's layers: gradients of norms, gates and rotations are written out,
so each keeps its input only. In float32 on a CPU kernels of our own keep less still: turned queries
and keys, what a gate gives, and inputs and outputs of each visit to an expert are made again. A
test holds the counts against the tensors that autograd really keeps.
"""

from __future__ import annotations

from olmeda.model.config import ModelConfig
from olmeda.model.kernels.eligible import LANES


def layer_numbers(config: ModelConfig, layer: int, *, kernels: bool = False) -> float:
    """Numbers kept for one token by one layer (from 0); ``kernels``: in float32 on a CPU."""
    return _attention(config, layer, kernels) + _mlp(config, layer, kernels)


def kept_numbers(config: ModelConfig, *, recompute: bool = False, kernels: bool = False) -> float:
    """Numbers kept for one token by the whole model, without the head's slices.

    ``recompute``: only each layer's input is kept, and the layer in work once over. ``kernels``: in
    float32 on a CPU.
    """
    layers = [layer_numbers(config, layer, kernels=kernels) for layer in range(config.layers)]
    ends = 2 * config.width + 1
    if recompute:
        return ends + config.layers * config.width + max(layers)
    return ends + sum(layers)


def _attention(config: ModelConfig, layer: int, kernels: bool) -> float:
    query, key = config.heads * config.head_width, config.key_heads * config.head_width
    inputs = config.width + query + 2 * key  # of the fused product, and what it gives
    attended = query + config.heads  # what attention gives, its logsumexp
    again = kernels and config.turns(layer) and config.head_width % (2 * LANES) == 0
    again = again and config.clip_qkv is None and not config.has_value_embedding(layer)
    turned = 0 if again else query + key
    outputs = config.width if config.norm_place == "after" else 0  # what the norm after reads
    stream = config.width if config.norm_place == "before" else 0  # what the norm before reads
    scales = 2 if config.qk_norm == "whole" else 0
    if config.qk_norm == "head":
        scales = config.heads + config.key_heads
    return inputs + attended + turned + outputs + stream + scales + 1


def _mlp(config: ModelConfig, layer: int, kernels: bool) -> float:
    gated = config.activation == "swiglu"
    hidden = 3 if gated else 2  # gate, up and their product
    around = 2 * config.width + 1  # the input, and what the norm reads
    experts = config.experts_of(layer)
    dense = 2 if kernels and gated and config.mlp_width % LANES == 0 else hidden
    if experts is None:
        return around + dense * config.dense_width
    each = hidden * config.mlp_width + 2 * config.width
    if kernels:
        each = (2 if gated else 1) * config.mlp_width
    visits = experts.chosen * each
    shared = experts.shared * dense * config.mlp_width
    routing = 2 * experts.count + 8 * experts.chosen  # probabilities, logits; indices are 8 bytes
    return around + visits + shared + routing
