"""The implicit reward of a policy: how much likelier it makes an answer than its reference does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from olmeda.base.errors import ArtifactError
from olmeda.model import hf
from olmeda.model.transformer import Transformer
from olmeda.reward.answers import Text, encoded, read_answers, spread
from olmeda.reward.logprobs import Reduce, implicit_reward, reduced
from olmeda.reward.registries import Request, Scored, reward_scorer
from olmeda.tokens.tokenizer import Tokenizer

SLICE = 512
"""Answer tokens whose logits are held at once."""


@reward_scorer("dpo")
def dpo(
    requests: Sequence[Request],
    *,
    checkpoint: Path,
    reference: Path | None = None,
    reduce: Reduce = "sum",
    batch_tokens: int = 8192,
) -> Scored:
    """Score answers by log p(answer) of a policy minus that of its reference.

    Without ``reference`` the policy's own log-probability, reduced by ``reduce``. The factor beta
    is left out: it changes no comparison.
    """
    policy = hf.load(checkpoint)
    tokenizer = Tokenizer.open(checkpoint)
    texts = encoded(tokenizer, requests, policy.config.sequence)
    own = answer_logprobs(policy, texts, reduce, batch_tokens)
    other = None
    if reference is not None:
        if Tokenizer.open(reference).digest != tokenizer.digest:
            raise ArtifactError(f"{reference}: has another tokenizer than {checkpoint}")
        other = answer_logprobs(hf.load(reference), texts, reduce, batch_tokens)
    return Scored(implicit_reward(own, other), sum(text.cut for text in texts))


@torch.inference_mode()
def answer_logprobs(
    model: Transformer, texts: Sequence[Text], reduce: Reduce, batch_tokens: int
) -> np.ndarray:
    """The reduced log-probability (nats) of each answer, its end token included; float64."""
    found: dict[int, float] = {}
    for read in read_answers(model, texts, batch_tokens):
        answers = [texts[place].answer for place in read.places]
        lengths_B = torch.tensor([len(answer) for answer in answers])
        kept_BT = torch.arange(read.h_BTD.shape[1]) < lengths_B[:, None]
        labels_N = torch.tensor([token for answer in answers for token in answer])
        logp_N = logprobs_of(model, read.h_BTD[kept_BT], labels_N)
        logp_BT = torch.zeros(kept_BT.shape, dtype=torch.float64).masked_scatter(kept_BT, logp_N)
        values_B = reduced(logp_BT.numpy(), kept_BT.numpy(), reduce)
        found |= zip(read.places, values_B.tolist(), strict=True)
    return np.array(spread(texts, found))


def logprobs_of(model: Transformer, h_ND: Tensor, labels_N: Tensor) -> Tensor:
    """log p of each label from the state before it, ``[N]`` in float64; a slice at a time."""
    slices = []
    for start in range(0, len(labels_N), SLICE):
        logits_SV = model.logits(h_ND[start : start + SLICE]).double()
        hit_S = logits_SV.gather(1, labels_N[start : start + SLICE, None])[:, 0]
        slices.append(hit_S - torch.logsumexp(logits_SV, -1))
    return torch.cat(slices)
