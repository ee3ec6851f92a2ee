"""Implicit rewards: what a policy's token log-probabilities say about an answer (DPO).

Shapes: B texts, T positions, V words. A label of -100 is no answer token.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

IGNORED = -100
Reduce = Literal["sum", "avg", "norm"]
"""``sum``; ``avg`` over the answer's tokens; ``norm``: minus the Euclidean length of the vector."""


def token_logprobs(logits_BTV: np.ndarray, labels_BT: np.ndarray) -> np.ndarray:
    """log p of the label at each position, 0 where ignored; float64 ``[B, T]``.

    Labels are already shifted: ``labels[t]`` is what the logits at ``t`` predict.
    """
    kept = labels_BT != IGNORED
    logits = logits_BTV.astype(np.float64)
    top = logits.max(axis=-1, keepdims=True)
    norm = np.log(np.exp(logits - top).sum(axis=-1)) + top[..., 0]
    safe = np.where(kept, labels_BT, 0)
    hit = np.take_along_axis(logits, safe[..., None], axis=-1)[..., 0]
    logp: np.ndarray = np.where(kept, hit - norm, 0.0)
    return logp


def shifted(logits_BTV: np.ndarray, labels_BT: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Line up logits with the next token's label: drop the last logits and the first label."""
    return logits_BTV[:, :-1], labels_BT[:, 1:]


def reduced(logp_BT: np.ndarray, kept_BT: np.ndarray, how: Reduce) -> np.ndarray:
    """One number a text from the log-probabilities of its kept positions; ``[B]``.

    A text without a kept position has 0 by ``sum`` and ``norm`` and NaN by ``avg``.
    """
    logp = np.where(kept_BT, logp_BT, 0.0)
    total: np.ndarray = logp.sum(axis=-1)
    if how == "norm":
        total = -np.sqrt((logp**2).sum(axis=-1))
    if how != "avg":
        return total
    count = kept_BT.sum(axis=-1)
    mean: np.ndarray = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
    return mean


def implicit_reward(policy_B: np.ndarray, reference_B: np.ndarray | None) -> np.ndarray:
    """DPO's reward without its factor beta: policy minus reference; the policy alone if none."""
    return policy_B if reference_B is None else policy_B - reference_B
