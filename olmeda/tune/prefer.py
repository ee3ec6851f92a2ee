"""``tune.prefer``: tune a policy directly on preferences (DPO and its relatives).

Shapes: ``P`` pairs, ``B`` = 2 P rows, ``T`` tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from olmeda.artifacts.examples import Trio
from olmeda.artifacts.lineage import Making
from olmeda.artifacts.verb import verb
from olmeda.base.config import ArtifactPath, Config
from olmeda.base.log import progress
from olmeda.model import hf
from olmeda.model.loss import IGNORED, token_logprobs
from olmeda.model.transformer import Transformer
from olmeda.train.fit import finish, fit
from olmeda.train.machine import prepare
from olmeda.train.step import Losses, LossFn
from olmeda.tune.base import open_base, require_same_tokenizer
from olmeda.tune.encode import encode_trios, read_examples
from olmeda.tune.order import grouped_by_length
from olmeda.tune.pairs import EncodedPair, Pairs, pair_batches, side_by_side
from olmeda.tune.preference import PairLogprobs, Preference, Sigmoid
from olmeda.tune.settings import TuneLoop
from olmeda.tune.sft import require_rows


class PreferConfig(Config, frozen=True):
    """Which policy to tune, on which preferences, by which loss."""

    base: ArtifactPath
    """The policy at the start."""
    reference: ArtifactPath | None = None
    """What the policy is held against; the base where absent."""
    data: Annotated[list[ArtifactPath], Field(min_length=1)]
    """Examples artifacts with a ``train.jsonl`` of trios, or such files."""
    loss: Preference = Sigmoid()
    loop: TuneLoop
    threads: Annotated[int, Field(gt=0)] = 1
    seed: int = 0
    """Of the order of the pairs."""


def answer_logprobs(model: Transformer, pairs: Pairs, loss: Preference) -> PairLogprobs:
    """Log-probabilities of both answers, summed or averaged over their tokens as ``loss`` asks."""
    labels_BT = pairs.rows.labels_BT
    logp_BT = token_logprobs(model, pairs.rows.ids_BT, labels_BT)
    logp_B = loss.logprobs(logp_BT, labels_BT != IGNORED)
    chosen_P, rejected_P = logp_B.chunk(2)
    return PairLogprobs(chosen_P, rejected_P)


@torch.no_grad()
def reference_logprobs(
    model: Transformer,
    pairs: Sequence[EncodedPair],
    loss: Preference,
    micro_tokens: int,
    pad: int,
) -> PairLogprobs:
    """The reference's log-probabilities of every pair, computed once, before training."""
    widths = np.array([2 * max(len(c.ids), len(r.ids)) for c, r in pairs])
    groups = grouped_by_length(np.arange(len(pairs)), widths, micro_tokens)
    found = PairLogprobs(torch.empty(len(pairs)), torch.empty(len(pairs)))
    for numbers in progress(groups, "reference"):
        some = answer_logprobs(model, side_by_side(pairs, numbers, pad), loss)
        found.chosen_B[numbers], found.rejected_B[numbers] = some.chosen_B, some.rejected_B
    return found


def preference_loss(loss: Preference, reference: PairLogprobs) -> LossFn:
    """The loss of a micro-batch, with accuracy and mean margin over the reference."""

    def compute(model: Transformer, pairs: Pairs) -> Losses:
        held = PairLogprobs(reference.chosen_B[pairs.numbers], reference.rejected_B[pairs.numbers])
        policy = answer_logprobs(model, pairs, loss)
        margins_P: Tensor = (policy - held).margins_B.detach()
        measures = {
            "accuracy": (margins_P > 0).sum(),
            "margin": margins_P.sum(),
            "logp_chosen": policy.chosen_B.detach().sum(),
            "logp_rejected": policy.rejected_B.detach().sum(),
        }
        return Losses(loss(policy, held).sum(), measures=measures)

    return compute


@verb("tune.prefer", makes="checkpoint", resumable=True)
def prefer(config: PreferConfig, making: Making) -> None:
    """Tune a policy on preference trios (DPO).

    Raises ArtifactError where reference and base have different tokenizers.
    """
    prepare(config.threads, config.seed)
    loop = config.loop
    base = open_base(config.base, loop.sequence)
    trios = read_examples(config.data, Trio)
    pairs, dropped = encode_trios(base.tokenizer, trios, loop.sequence)
    require_rows(pairs, dropped, loop.sequence)
    model, pad = base.model, base.tokenizer.pad
    held = model
    if config.reference is not None:
        require_same_tokenizer(config.base, config.reference)
        held = open_base(config.reference, loop.sequence).model
    # made anew by a resumed run too: the base is unchanged, and so are they, bit by bit
    reference = reference_logprobs(held, pairs, config.loss, loop.micro_tokens, pad)
    batches = pair_batches(pairs, loop, config.seed, pad)
    end = fit(model, batches, preference_loss(config.loss, reference), loop, making)
    hf.save(model, making.path, config.base)
    finish(making, end, model.config)
    making.counts |= {
        "pairs": len(pairs),
        "pairs_too_long": dropped.too_long,
        "pairs_untrainable": dropped.untrainable,
    }
