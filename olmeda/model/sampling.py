"""The next token from its scores: greedy, or drawn with temperature, top-k, top-p and min-p.

A draw is the largest of ``score + noise`` with Gumbel noise: a draw from the softmax, and one that
stays the same when scores move a little, so that a guess about scores is a guess about the draw.

Shapes: ``B`` rows, ``V`` vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from olmeda.base.errors import ConfigError

COLDEST = 1e-5
"""Below this temperature float32 has no room for scores divided by it, and a draw is greedy."""


@dataclass(frozen=True)
class Sampling:
    """How tokens are drawn. Temperature 0 is greedy, and then nothing else matters."""

    temperature: float = 0.0
    top_k: int = 0
    """Only the so many most probable tokens; 0 keeps all."""
    top_p: float = 1.0
    """Only the most probable tokens until their sum reaches this, at least one (arXiv:1904.09751);
    of what ``top_k`` left."""
    min_p: float = 0.0
    """Only tokens at least this probable compared with the most probable one (arXiv:2407.01082)."""

    def __post_init__(self) -> None:
        """Raises ConfigError for a value out of range."""
        limits = [
            ("temperature", self.temperature, 0 <= self.temperature < np.inf, "0 (greedy) or more"),
            ("top_k", self.top_k, self.top_k >= 0, "0 (all) or more"),
            ("top_p", self.top_p, 0 <= self.top_p <= 1, "from 0 to 1 (all)"),
            ("min_p", self.min_p, 0 <= self.min_p <= 1, "from 0 (all) to 1"),
        ]
        for name, value, fits, wanted in limits:
            if not fits:
                raise ConfigError(f"{name} is {value}; it must be {wanted}")

    @property
    def greedy(self) -> bool:
        """Whether the most probable token is taken, without noise."""
        return self.temperature < COLDEST


GREEDY = Sampling()


def noise(seed: tuple[int, ...], place: int, size: int) -> Tensor:
    """Standard Gumbel noise ``[size]`` for the ``place``-th token drawn under ``seed``."""
    # in float32 one number in 2^23 is exactly 0: noise that no score is a match for
    drawn = torch.from_numpy(np.random.default_rng([*seed, place]).standard_exponential(size))
    return drawn.clamp_(min=1e-300).log_().neg_().float()


def sample(logits_BV: Tensor, noise_BV: Tensor | None, how: Sampling) -> Tensor:
    """The next token ``[B]`` of each row; greedy takes no noise."""
    if how.greedy:
        return logits_BV.argmax(-1)
    assert noise_BV is not None, "a draw needs noise"
    return (kept(logits_BV.float() / how.temperature, how) + noise_BV).argmax(-1)


def kept(scores_BV: Tensor, how: Sampling) -> Tensor:
    """Scores of the tokens that may be drawn, -inf for the others."""
    if how.top_k and how.top_k < scores_BV.shape[-1]:
        # of equal scores at the border the first stay, as in a stable order
        at_BK = torch.sort(scores_BV, descending=True, stable=True).indices[:, : how.top_k]
        only_BV = torch.full_like(scores_BV, -torch.inf)
        scores_BV = only_BV.scatter(1, at_BK, scores_BV.gather(1, at_BK))
    if how.top_p < 1:
        ranked_BV, at_BV = torch.sort(scores_BV, descending=True, stable=True)
        probs_BV = torch.softmax(ranked_BV.double(), -1)
        dropped_BV = probs_BV.cumsum(-1) - probs_BV >= how.top_p
        dropped_BV[:, 0] = False
        ranked_BV = ranked_BV.masked_fill(dropped_BV, -torch.inf)
        scores_BV = torch.empty_like(scores_BV).scatter(1, at_BV, ranked_BV)
    if how.min_p > 0:
        least_B1 = scores_BV.amax(-1, keepdim=True) + float(np.log(how.min_p))
        scores_BV = scores_BV.masked_fill(scores_BV < least_B1, -torch.inf)
    return scores_BV
