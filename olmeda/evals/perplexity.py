"""evals.perplexity: bits per byte of held-out text, by source and document.

Windows are the ones that training measures itself on (``olmeda.tokens.heldout``): documents laid
end to end, every token scored once, end tokens included.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from olmeda.artifacts.checkpoint import Checkpoint
from olmeda.artifacts.lineage import Making
from olmeda.artifacts.scores import WHOLE, Score, write_scores
from olmeda.artifacts.tokenset import TokenSet
from olmeda.artifacts.verb import verb
from olmeda.base.config import ArtifactPath, Config
from olmeda.base.errors import InputError
from olmeda.base.log import progress
from olmeda.tokens.heldout import IGNORED, choose_documents, heldout_windows

if TYPE_CHECKING:
    from olmeda.model.transformer import Transformer

SCORER = "bits_per_byte_cost"
RATER = "metric:likelihood"


class PerplexityConfig(Config, frozen=True):
    """``systems``: name -> checkpoint; ``tokens``: a held-out token set of the same tokenizer.

    ``max_tokens``: at most so many tokens of each source, in whole documents (all where left out).
    Windows have the length of each model's context.
    """

    systems: dict[str, ArtifactPath] = Field(min_length=1)
    tokens: ArtifactPath
    max_tokens: int | None = Field(default=None, ge=1)
    batch: int = Field(default=16, ge=1)
    threads: int = Field(default=2, ge=1)


@verb("evals.perplexity", makes="scores")
def perplexity(config: PerplexityConfig, making: Making) -> None:
    """Measure bits per byte of held-out text.

    Rows ``heldout/<source>``: one for each document, and ``*`` for the source as a whole (all its
    bits over all its bytes); ``heldout`` with ``*`` is over all sources. Raises InputError for an
    empty set, ArtifactError for tokens of another tokenizer.
    """
    import torch

    torch.set_num_threads(config.threads)
    tokens = TokenSet.open(config.tokens)
    if not tokens.tokens:
        raise InputError(f"{tokens.path}: the held-out set is empty; set documents aside")
    most = config.max_tokens or tokens.tokens
    rows: list[Score] = []
    for name, folder in progress(list(config.systems.items()), "evals.perplexity"):
        tokens.require_tokenizer(Checkpoint.open(folder).tokenizer_digest(), str(folder))
        rows += measure(name, folder, tokens, most, config.batch)
    write_scores(making.path, rows)
    read = sum(choose_documents(tokens, s, most)["tokens"].sum() for s in tokens.sources)
    making.counts |= {"systems": len(config.systems), "tokens": int(read)}


def measure(name: str, folder: Path, tokens: TokenSet, most: int, batch: int) -> list[Score]:
    """The rows of one system."""
    from olmeda.model import hf

    model = hf.load(folder)
    rows: list[Score] = []
    all_bits = all_bytes = 0.0
    for source, nats_N in token_nats(model, tokens, most, batch).items():
        documents = choose_documents(tokens, source, most)
        bits_D = document_bits(nats_N, documents["tokens"].to_numpy())
        bytes_D = documents["bytes"].to_numpy()
        task = f"heldout/{source}"
        for item, bits, size in zip(documents["id"], bits_D, bytes_D, strict=True):
            if size:
                rows.append(Score(name, task, item, SCORER, float(bits / size), RATER))
        total = float(bits_D.sum()), float(bytes_D.sum())
        if not total[1]:
            raise InputError(f"{tokens.path}: the held-out documents of {source!r} are empty")
        rows.append(Score(name, task, WHOLE, SCORER, total[0] / total[1], RATER))
        all_bits, all_bytes = all_bits + total[0], all_bytes + total[1]
    return [*rows, Score(name, "heldout", WHOLE, SCORER, all_bits / all_bytes, RATER)]


def document_bits(nats_N: np.ndarray, tokens_D: np.ndarray) -> np.ndarray:
    """Bits of each document from the nats of all tokens laid end to end."""
    assert len(nats_N) == tokens_D.sum(), (len(nats_N), tokens_D.sum())
    sums_D = np.array([part.sum() for part in np.split(nats_N, np.cumsum(tokens_D)[:-1])])
    return sums_D / math.log(2)


def token_nats(
    model: Transformer, tokens: TokenSet, most: int, batch: int
) -> dict[str, np.ndarray]:
    """Negative log-likelihood (nats) of every held-out token, source by source."""
    import torch

    from olmeda.model.loss import token_logprobs

    found: dict[str, list[np.ndarray]] = {}
    with torch.inference_mode():
        for ids_BT, labels_BT, source in heldout_windows(
            tokens, model.config.sequence, most, batch
        ):
            logp_BT = token_logprobs(model, torch.from_numpy(ids_BT), torch.from_numpy(labels_BT))
            scored = -logp_BT.double().numpy()[labels_BT != IGNORED]
            found.setdefault(source, []).append(scored)
    return {source: np.concatenate(parts) for source, parts in found.items()}
