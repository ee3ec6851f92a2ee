"""The next token from its scores: greedy, or drawn with temperature, top-k and top-p.

Shapes: ``B`` rows, ``V`` vocabulary, ranks run over ``V`` by falling score.
"""

from __future__ import annotations

import torch
from torch import Tensor


def sample(
    logits_BV: Tensor, chance_B: Tensor, *, temperature: float, top_k: int, top_p: float
) -> Tensor:
    """The next token ``[B]`` of each row; ``chance_B`` in [0, 1) decides the draw.

    Temperature 0 is greedy. ``top_k`` 0 keeps all. ``top_p`` keeps the most probable tokens of
    what top-k left until their sum reaches it, at least one (arXiv:1904.09751).
    """
    if temperature == 0:
        return logits_BV.argmax(-1)
    ranked_BV, token_BV = torch.sort(logits_BV / temperature, dim=-1, descending=True, stable=True)
    if top_k:
        ranked_BV, token_BV = ranked_BV[:, :top_k], token_BV[:, :top_k]
    probs_BV = torch.softmax(ranked_BV.double(), -1)
    before_BV = probs_BV.cumsum(-1) - probs_BV
    dropped_BV = before_BV >= top_p
    dropped_BV[:, 0] = False
    kept_BV = probs_BV.masked_fill(dropped_BV, 0.0)
    upto_BV = kept_BV.cumsum(-1)
    aim_B1 = chance_B.double()[:, None] * upto_BV[:, -1:]
    rank_B1 = torch.searchsorted(upto_BV, aim_B1, right=True)
    last_B1 = (kept_BV > 0).sum(-1, keepdim=True) - 1
    return token_BV.gather(1, torch.minimum(rank_B1, last_B1))[:, 0]
