"""The head and the loss after it under autocast or with a softcap: products in the precision that
is set (bf16), cap and softmax in fp32.

A slice of tokens at a time, whose logits are computed again on the way back, so that no full logits
are held; on GPUs there is no cache to fit, and slices are large.

Shapes: ``N`` tokens that count, ``D`` width, ``V`` vocabulary, ``L`` tokens of one slice.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

SLICE_ELEMENTS = 1 << 27
"""Logits held at once (512 MB in float32, 256 in bfloat16)."""
SLICE_ELEMENTS_CPU = 1 << 21


def is_autocast(x: Tensor) -> bool:
    """Whether products with ``x`` are to run in another precision than its own."""
    return torch.is_autocast_enabled(x.device.type)


def autocast_logprobs(
    h_ND: Tensor, head_VD: Tensor, labels_N: Tensor, softcap: float = 0.0
) -> tuple[Tensor, Tensor]:
    """``(log-probability of its label, logsumexp)`` of each token, in fp32."""
    most = SLICE_ELEMENTS_CPU if h_ND.device.type == "cpu" else SLICE_ELEMENTS
    rows = max(64, most // len(head_VD))
    parts = zip(torch.split(h_ND, rows), torch.split(labels_N, rows), strict=True)
    found = [
        checkpoint(_logprobs, h_LD, head_VD, labels_L, softcap, use_reentrant=False)
        for h_LD, labels_L in parts
    ]
    if not found:
        none = h_ND.sum(dtype=torch.float32) * h_ND.new_zeros(0)
        return none, none
    logp_N, lse_N = (torch.cat(pieces) for pieces in zip(*found, strict=True))
    return logp_N, lse_N


def _logprobs(
    h_LD: Tensor, head_VD: Tensor, labels_L: Tensor, softcap: float
) -> tuple[Tensor, Tensor]:
    logits_LV = torch.nn.functional.linear(h_LD, head_VD).float()
    if softcap:
        logits_LV = softcap * torch.tanh(logits_LV / softcap)
    lse_L = torch.logsumexp(logits_LV, -1)
    return logits_LV.gather(1, labels_L[:, None])[:, 0] - lse_L, lse_L
