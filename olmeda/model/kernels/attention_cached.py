"""Attention of a few new tokens to those in a cache, on the CPU.

torch's kernel reads every row up to the longest one's length and computes what a mask then hides;
this reads each row as far as it goes, and of a window only the window.

Shapes: ``B`` rows, ``T`` new tokens, ``S`` tokens held, ``H`` heads, ``G`` key heads, ``C`` head
width.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from olmeda.model.kernels.compiled import compiled_loosely
from olmeda.model.kernels.threads import in_parts
from olmeda.model.kernels.vectors import EXP2, LOG2E, LOWEST


@compiled_loosely
def _exponentiate(scores_S: np.ndarray, most: Any, powers_S: np.ndarray) -> Any:
    """``scores = exp(scores - most)`` and their sum; as a power of 2 it becomes vectors."""
    total = np.float32(0.0)
    bits_S = powers_S.view(np.float32)
    for at in range(len(scores_S)):
        power = (scores_S[at] - most) * np.float32(LOG2E)
        power = np.float32(-126.0) if power < np.float32(-126.0) else power  # NaN stays
        whole = np.floor(power + np.float32(0.5))
        powers_S[at] = (np.int32(whole) + np.int32(127)) << np.int32(23)
        rest = power - whole
        found = np.float32(EXP2[6])
        found = found * rest + np.float32(EXP2[5])
        found = found * rest + np.float32(EXP2[4])
        found = found * rest + np.float32(EXP2[3])
        found = found * rest + np.float32(EXP2[2])
        found = found * rest + np.float32(EXP2[1])
        scores_S[at] = found * rest + np.float32(EXP2[0])
    for at in range(len(scores_S)):
        scores_S[at] *= bits_S[at]
        total += scores_S[at]
    return total


@compiled_loosely
def _attend(
    q_M: np.ndarray, k_M: np.ndarray, v_M: np.ndarray, positions_BT: np.ndarray, out_M: np.ndarray,
    shape: tuple[int, int, int, int], q_steps: tuple[int, ...], k_steps: tuple[int, ...],
    window: int, softcap: float, first: int, end: int,
) -> None:  # fmt: skip
    tokens, heads, groups, width = shape
    shared = heads // groups
    scale = np.float32(1.0 / math.sqrt(width))
    cap = np.float32(softcap)
    scores = np.empty(np.max(positions_BT) + 1, np.float32)
    powers, mixed = np.empty(len(scores), np.int32), np.empty(width, np.float32)
    for item in range(first, end):
        row, group = item // groups, item % groups
        base = row * k_steps[0] + group * k_steps[1]
        for new in range(tokens):
            last = positions_BT[row, new] + 1
            begin = max(0, last - window) if window else 0
            for head in range(group * shared, (group + 1) * shared):
                at_q = row * q_steps[0] + new * q_steps[1] + head * q_steps[2]
                query = q_M[at_q : at_q + width]
                most = np.float32(LOWEST)
                for at in range(begin, last):
                    key = k_M[base + at * k_steps[2] : base + at * k_steps[2] + width]
                    product = np.float32(0.0)
                    for c in range(width):
                        product += query[c] * key[c]
                    product *= scale
                    if cap:
                        product = np.float32(cap * math.tanh(product / cap))
                    scores[at] = product
                    most = product if product > most else most
                total = _exponentiate(scores[begin:last], most, powers)
                mixed[:] = 0
                for at in range(begin, last):
                    share = scores[at]
                    value = v_M[base + at * k_steps[2] : base + at * k_steps[2] + width]
                    for c in range(width):
                        mixed[c] += share * value[c]
                at_out = ((row * tokens + new) * heads + head) * width
                for c in range(width):
                    out_M[at_out + c] = mixed[c] / total


def attention_cached(
    q_BTHC: Tensor, k_BGSC: Tensor, v_BGSC: Tensor, positions_BT: Tensor, window: int,
    softcap: float,
) -> Tensor:  # fmt: skip
    """``[B, T, H, C]``: each new token sees the held tokens up to its position, or a window."""
    out_BTHC = torch.empty(q_BTHC.shape, dtype=q_BTHC.dtype)
    q, k, v, out = (_flat(t) for t in (q_BTHC, k_BGSC, v_BGSC, out_BTHC))
    positions, steps = positions_BT.numpy(), (q_BTHC.stride()[:3], k_BGSC.stride()[:3])
    shape = (q_BTHC.shape[1], q_BTHC.shape[2], k_BGSC.shape[1], q_BTHC.shape[3])

    def work(first: int, end: int) -> None:
        _attend(q, k, v, positions, out, shape, *steps, window, softcap, first, end)

    seen_B = positions_BT[:, -1].numpy().astype(np.float64) + 1
    cost = float(4 * q_BTHC.shape[1] * q_BTHC.shape[2] // k_BGSC.shape[1] * q_BTHC.shape[3])
    in_parts(work, np.repeat(seen_B * cost, k_BGSC.shape[1]))
    return out_BTHC


def _flat(t: Tensor) -> np.ndarray:
    """All numbers from a tensor's first to its last as they lie in memory."""
    length = 1 + sum((n - 1) * step for n, step in zip(t.shape, t.stride(), strict=True))
    flat: np.ndarray = t.detach().as_strided((length,), (1,)).numpy()
    return flat
