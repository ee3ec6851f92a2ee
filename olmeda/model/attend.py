"""Attention itself: who sees whom, and how it is computed; projections lie elsewhere.

Shapes: ``B`` sequences, ``T`` tokens, ``S`` tokens seen, ``H`` heads, ``G`` key heads, ``C`` head
width, ``P`` stretches of one length ``L``.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from olmeda.model.segments import Segments


def attend(
    q_BTHC: Tensor, k_BTGC: Tensor, v_BTGC: Tensor, *, segments: Segments | None = None
) -> Tensor:
    """Causal attention of new tokens among themselves, ``[B, T, H, C]``.

    With ``segments`` each stretch sees itself only, at the cost of calls for each length.
    """
    if segments is None:
        return _causal(q_BTHC, k_BTGC, v_BTGC)
    q_NHC, k_NGC, v_NGC = (t.flatten(0, 1) for t in (q_BTHC, k_BTGC, v_BTGC))
    parts, order = [], []
    for length, starts in segments.by_length().items():
        places_PL = torch.tensor(starts)[:, None] + torch.arange(length)
        parts.append(_causal(q_NHC[places_PL], k_NGC[places_PL], v_NGC[places_PL]).flatten(0, 1))
        order.append(places_PL.flatten())
    mixed_NHC = torch.cat(parts)[torch.argsort(torch.cat(order))]
    return mixed_NHC.view_as(q_BTHC)


def attend_cached(q_BTHC: Tensor, k_BGSC: Tensor, v_BGSC: Tensor, mask_B1TS: Tensor) -> Tensor:
    """Attention of new tokens to those in a cache, as the mask allows, ``[B, T, H, C]``."""
    mixed_BHTC = scaled_dot_product_attention(
        q_BTHC.transpose(1, 2), k_BGSC, v_BGSC, attn_mask=mask_B1TS,
        enable_gqa=q_BTHC.shape[2] != k_BGSC.shape[1],
    )  # fmt: skip
    return mixed_BHTC.transpose(1, 2)


def _causal(q_BTHC: Tensor, k_BTGC: Tensor, v_BTGC: Tensor) -> Tensor:
    mixed_BHTC = scaled_dot_product_attention(
        q_BTHC.transpose(1, 2), k_BTGC.transpose(1, 2), v_BTGC.transpose(1, 2),
        is_causal=True, enable_gqa=q_BTHC.shape[2] != k_BTGC.shape[2],
    )  # fmt: skip
    return mixed_BHTC.transpose(1, 2)
