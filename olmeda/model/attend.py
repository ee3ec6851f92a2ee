"""Attention itself: who sees whom, and how it is computed; projections lie elsewhere.

Shapes: ``B`` sequences, ``T`` tokens, ``S`` tokens seen, ``H`` heads, ``G`` key heads, ``C`` head
width, ``P`` stretches of one length ``L``.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from olmeda.model.kernels.eligible import vectorises
from olmeda.model.segments import Segments

LEAST_ROWS = 4
"""Rows of one new token each from which on a kernel of our own beats torch's on a cache."""


def attend(
    q_BTHC: Tensor,
    k_BTGC: Tensor,
    v_BTGC: Tensor,
    *,
    window: int = 0,
    softcap: float = 0.0,
    segments: Segments | None = None,
) -> Tensor:
    """Causal attention of new tokens among themselves, ``[B, T, H, C]``; scores over sqrt(C).

    ``window``: tokens that each sees, itself included; 0 means all before it. ``softcap``: scores
    become ``c tanh(score / c)``; 0 leaves them. With ``segments`` each stretch sees itself only,
    at the cost of calls for each length.
    """
    rows, tokens = q_BTHC.shape[:2]
    lengths = (tokens,) * rows if segments is None else segments.of(rows * tokens)
    if vectorises(q_BTHC.shape[-1], q_BTHC, k_BTGC, v_BTGC):
        q_NHC, k_NGC, v_NGC = (t.flatten(0, 1) for t in (q_BTHC, k_BTGC, v_BTGC))
        from olmeda.model.kernels.attention import attention

        return attention(q_NHC, k_NGC, v_NGC, lengths, window, softcap).view_as(q_BTHC)
    if segments is None:
        return _causal(q_BTHC, k_BTGC, v_BTGC, window, softcap)
    q_NHC, k_NGC, v_NGC = (t.flatten(0, 1) for t in (q_BTHC, k_BTGC, v_BTGC))
    parts, order = [], []
    for length, starts in segments.by_length().items():
        places_PL = torch.tensor(starts)[:, None] + torch.arange(length)
        q, k, v = q_NHC[places_PL], k_NGC[places_PL], v_NGC[places_PL]
        parts.append(_causal(q, k, v, window, softcap).flatten(0, 1))
        order.append(places_PL.flatten())
    mixed_NHC = torch.cat(parts)[torch.argsort(torch.cat(order))]
    return mixed_NHC.view_as(q_BTHC)


def attend_cached(
    q_BTHC: Tensor,
    k_BGSC: Tensor,
    v_BGSC: Tensor,
    mask_B1TS: Tensor,
    *,
    window: int = 0,
    softcap: float = 0.0,
    positions_BT: Tensor | None = None,
) -> Tensor:
    """Attention of new tokens to those in a cache, as the mask allows, ``[B, T, H, C]``.

    Where the mask is that of ``positions_BT`` (and of ``window``), telling them is faster: then
    each of many rows is read only as far as it goes.
    """
    rows, tokens = q_BTHC.shape[:2]
    pays = tokens == 1 and rows >= LEAST_ROWS and not torch.is_grad_enabled()
    if positions_BT is not None and pays and vectorises(q_BTHC.shape[-1], q_BTHC, k_BGSC, v_BGSC):
        from olmeda.model.kernels.attention_cached import attention_cached

        return attention_cached(q_BTHC, k_BGSC, v_BGSC, positions_BT, window, softcap)
    return _masked(q_BTHC.transpose(1, 2), k_BGSC, v_BGSC, mask_B1TS, softcap)


def _causal(q_BTHC: Tensor, k_BTGC: Tensor, v_BTGC: Tensor, window: int, softcap: float) -> Tensor:
    q_BHTC, k_BGTC, v_BGTC = (t.transpose(1, 2) for t in (q_BTHC, k_BTGC, v_BTGC))
    tokens = q_BTHC.shape[1]
    if not softcap and not 0 < window < tokens:
        mixed_BHTC = scaled_dot_product_attention(
            q_BHTC, k_BGTC, v_BGTC, is_causal=True, enable_gqa=q_BHTC.shape[1] != k_BGTC.shape[1]
        )
        return mixed_BHTC.transpose(1, 2)
    sees_TT = torch.ones(tokens, tokens, dtype=torch.bool, device=q_BTHC.device).tril()
    if window:
        sees_TT = sees_TT.triu(1 - window)
    return _masked(q_BHTC, k_BGTC, v_BGTC, sees_TT, softcap)


def _masked(
    q_BHTC: Tensor, k_BGSC: Tensor, v_BGSC: Tensor, mask_TS: Tensor, softcap: float
) -> Tensor:
    shared = q_BHTC.shape[1] // k_BGSC.shape[1]
    if not softcap:
        mixed_BHTC = scaled_dot_product_attention(
            q_BHTC, k_BGSC, v_BGSC, attn_mask=mask_TS, enable_gqa=shared > 1
        )
        return mixed_BHTC.transpose(1, 2)
    k_BHSC, v_BHSC = (t.repeat_interleave(shared, 1) for t in (k_BGSC, v_BGSC))
    scores_BHTS = q_BHTC @ k_BHSC.transpose(-1, -2) * q_BHTC.shape[-1] ** -0.5
    scores_BHTS = softcap * torch.tanh(scores_BHTS / softcap)
    probs_BHTS = torch.softmax(scores_BHTS.masked_fill(~mask_TS, -torch.inf), -1)
    return (probs_BHTS @ v_BHSC).transpose(1, 2)
