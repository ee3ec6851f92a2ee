"""How likely a model holds the tokens of given texts: what ``echo`` with ``logprobs`` asks for.

Shapes: ``B`` texts, ``T`` tokens, ``R`` tokens of a slice, ``V`` vocabulary, ``K`` best tokens.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from olmeda.model.decode import Token
from olmeda.model.transformer import Transformer

TOKENS = 8192
"""Texts are read in groups of at most so many tokens, padding included."""
ROWS = 128
"""Tokens whose scores of the whole vocabulary are held at once."""


@torch.inference_mode()
def score(model: Transformer, texts: Sequence[Sequence[int]], best: int) -> list[list[Token]]:
    """Each text's tokens with their log-probability and the ``best`` most probable in their place.

    The first token follows nothing: it has probability 1 and no others.
    """
    found: list[list[Token]] = [[] for _ in texts]
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    while order:
        longest = 0
        group: list[int] = []
        while order:
            longest = max(longest, len(texts[order[0]]))
            if group and longest * (len(group) + 1) > TOKENS:
                break
            group.append(order.pop(0))
        for i, tokens in zip(group, _score_group(model, [texts[i] for i in group], best)):
            found[i] = tokens
    return found


def _score_group(model: Transformer, texts: list[Sequence[int]], best: int) -> list[list[Token]]:
    device = model.embed.device
    longest = max(map(len, texts))
    ids_BT = torch.zeros(len(texts), longest, dtype=torch.long)
    for row, text in enumerate(texts):
        ids_BT[row, : len(text)] = torch.tensor(text)
    ids_BT = ids_BT.to(device)
    lengths_B1 = torch.tensor([len(text) for text in texts], device=device)[:, None]
    real_BT = torch.arange(longest, device=device) < lengths_B1
    h_BTD = model(ids_BT, real_BT=real_BT).h_BTD
    found = []
    for row, text in enumerate(texts):
        tokens = [Token(text[0])]
        for start in range(0, len(text) - 1, ROWS):
            stop = min(start + ROWS, len(text) - 1)
            logps_RV = model.logits(h_BTD[row, start:stop]).float().log_softmax(-1)
            ids_R1 = ids_BT[row, start + 1 : stop + 1, None]
            own = logps_RV.gather(1, ids_R1)[:, 0].tolist()
            top = torch.topk(logps_RV, best)
            rows = zip(top.indices.tolist(), top.values.tolist(), strict=True)
            pairs = [tuple(zip(at, values, strict=True)) for at, values in rows]
            ids = ids_R1[:, 0].tolist()
            tokens += [Token(i, own[n], pairs[n]) for n, i in enumerate(ids)]
        found.append(tokens)
    return found
