"""Which experts a model chooses for tokens of every source.

Shapes: ``N`` tokens, ``L`` layers, ``K`` chosen experts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from olmeda.artifacts.tokenset import TokenSet
from olmeda.base.errors import ConfigError, InputError
from olmeda.base.log import progress
from olmeda.model.transformer import Transformer
from olmeda.tokens.heldout import IGNORED, heldout_windows


@dataclass(frozen=True)
class Routes:
    """Every token read, with the experts it visited and where it stood."""

    chosen_NLK: np.ndarray
    ids_N: np.ndarray
    source_N: np.ndarray
    """Places in ``sources``."""
    document_N: np.ndarray
    """Numbers from 0 over all sources."""
    sources: list[str]
    experts: int


@torch.no_grad()
def collect(
    model: Transformer, tokens: TokenSet, sequence: int, most_tokens: int, rows: int = 16
) -> Routes:
    """Route whole documents of each source, about ``most_tokens`` over all sources.

    Raises ConfigError for a model without experts, InputError where there is nothing to read.
    """
    if model.config.experts is None:
        raise ConfigError("the checkpoint has no experts, so nothing is routed; choose a MoE")
    if not tokens.sources:
        raise InputError(f"{tokens.path}: holds no tokens to route")
    end, sources = tokens.index.special["eos"], tokens.sources
    share = max(most_tokens // len(sources), 1)
    chosen, ids, of_source = [], [], []
    windows = list(heldout_windows(tokens, sequence, share, rows))
    for ids_BT, labels_BT, source in progress(windows, "routing"):
        real_N = (labels_BT != IGNORED).ravel()
        routers = model(torch.from_numpy(ids_BT)).routers
        picked_NLK = torch.stack([r.chosen_NK for r in routers], 1).numpy()
        chosen.append(picked_NLK[real_N].astype(np.int16))
        ids.append(ids_BT.ravel()[real_N])
        of_source.append(np.full(int(real_N.sum()), sources.index(source)))
    ids_N = np.concatenate(ids)
    # every source begins with an end token, and one stands before every further document
    document_N = np.cumsum(ids_N == end) - 1
    return Routes(
        np.concatenate(chosen),
        ids_N,
        np.concatenate(of_source),
        document_N,
        sources,
        model.config.experts.count,
    )
