"""A reward model: a transformer with one number as its head."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from olmeda.model.reward import RewardModel, load_reward
from olmeda.reward.answers import Text, encoded, read_answers, spread
from olmeda.reward.registries import Request, Scored, reward_scorer
from olmeda.tokens.tokenizer import Tokenizer


@reward_scorer("classifier")
def classifier(
    requests: Sequence[Request], *, checkpoint: Path, batch_tokens: int = 8192
) -> Scored:
    """Score answers with a trained reward model, at the last token of prompt and answer."""
    model = load_reward(checkpoint)
    texts = encoded(Tokenizer.open(checkpoint), requests, model.body.config.sequence)
    return Scored(rewards(model, texts, batch_tokens), sum(text.cut for text in texts))


@torch.inference_mode()
def rewards(model: RewardModel, texts: Sequence[Text], batch_tokens: int) -> np.ndarray:
    """The reward of each text, float64."""
    found: dict[int, float] = {}
    for read in read_answers(model.body, texts, batch_tokens):
        last_B = torch.tensor([len(texts[place].answer) for place in read.places])
        reward_B = model.score(read.h_BTD[torch.arange(len(last_B)), last_B])[:, 0]
        found |= zip(read.places, reward_B.double().tolist(), strict=True)
    return np.array(spread(texts, found))
