"""Which experts a model chooses for tokens of every source.

Shapes: ``B`` windows, ``T`` tokens of each, ``N`` tokens, ``L`` layers with experts, ``K`` chosen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from olmeda.artifacts.tokenset import TokenSet
from olmeda.base.errors import ConfigError, InputError
from olmeda.base.log import progress
from olmeda.model.transformer import Transformer
from olmeda.tokens.heldout import IGNORED, heldout_windows


@dataclass(frozen=True)
class Routes:
    """Every token read, with the experts it visited and where it stood."""

    chosen_NLK: np.ndarray
    """Experts by falling probability; the second axis runs over ``layers``."""
    ids_N: np.ndarray
    next_N: np.ndarray
    """The token that truly follows."""
    predicted_N: np.ndarray
    """The token that the model holds most probable to follow."""
    source_N: np.ndarray
    """Places in ``sources``."""
    document_N: np.ndarray
    """Numbers from 0 over all sources."""
    sources: list[str]
    layers: list[int]
    """The numbers of the layers that have experts."""
    experts: int


@dataclass(frozen=True)
class Router:
    """A model as far as routing goes: ``read(ids_BT)`` gives the chosen experts and predictions.

    ``read`` returns ``(chosen_NLK, predicted_N)`` for the ``N = B T`` tokens row after row.
    """

    read: Callable[[Tensor], tuple[Tensor, Tensor]]
    layers: list[int]
    experts: int
    context: int


def router_of(model: Transformer) -> Router:
    """Our own model's. Raises ConfigError without experts, or where experts choose tokens."""
    config = model.config
    if config.experts is None:
        raise ConfigError("the checkpoint has no experts, so nothing is routed; choose a MoE")
    if config.experts.choice != "token":
        raise ConfigError(
            "experts choose tokens in this checkpoint: a token has no fixed number of experts, "
            "so these measures do not apply; analyse a model whose tokens choose"
        )

    def read(ids_BT: Tensor) -> tuple[Tensor, Tensor]:
        hidden = model(ids_BT)
        chosen_NLK = torch.stack([r.chosen_NK for r in hidden.routers], 1)
        return chosen_NLK, _most_probable(model, hidden.h_BTD.flatten(0, 1))

    layers = [n for n in range(config.layers) if config.experts_of(n) is not None]
    return Router(read, layers, config.experts.count, config.sequence)


def _most_probable(model: Transformer, h_ND: Tensor, slice_tokens: int = 512) -> Tensor:
    return torch.cat([model.logits(part).argmax(-1) for part in torch.split(h_ND, slice_tokens)])


@torch.no_grad()
def collect(
    router: Router, tokens: TokenSet, sequence: int, most_tokens: int, rows: int = 16
) -> Routes:
    """Route whole documents of each source, about ``most_tokens`` over all sources.

    Raises InputError where there is nothing to read.
    """
    if not tokens.sources:
        raise InputError(f"{tokens.path}: holds no tokens to route")
    end, sources = tokens.index.special["eos"], tokens.sources
    share = max(most_tokens // len(sources), 1)
    chosen, ids, following, predicted, of_source = [], [], [], [], []
    windows = list(heldout_windows(tokens, sequence, share, rows))
    for ids_BT, labels_BT, source in progress(windows, "routing"):
        real_N = (labels_BT != IGNORED).ravel()
        picked_NLK, guessed_N = router.read(torch.from_numpy(ids_BT))
        chosen.append(picked_NLK.numpy()[real_N].astype(np.int16))
        predicted.append(guessed_N.numpy()[real_N])
        ids.append(ids_BT.ravel()[real_N])
        following.append(labels_BT.ravel()[real_N])
        of_source.append(np.full(int(real_N.sum()), sources.index(source)))
    ids_N = np.concatenate(ids)
    # every source begins with an end token, and one stands before every further document
    document_N = np.cumsum(ids_N == end) - 1
    return Routes(
        chosen_NLK=np.concatenate(chosen),
        ids_N=ids_N,
        next_N=np.concatenate(following),
        predicted_N=np.concatenate(predicted),
        source_N=np.concatenate(of_source),
        document_N=document_N,
        sources=sources,
        layers=router.layers,
        experts=router.experts,
    )
