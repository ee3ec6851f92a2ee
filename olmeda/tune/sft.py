"""``tune.sft``: finetune a checkpoint on conversations; only answers are learned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numpy as np
from pydantic import Field

from olmeda.artifacts.examples import Conversation
from olmeda.artifacts.lineage import Making
from olmeda.artifacts.verb import verb
from olmeda.base.config import ArtifactPath, Config
from olmeda.base.errors import InputError
from olmeda.model import hf
from olmeda.train.fit import finish, fit
from olmeda.train.machine import prepare
from olmeda.train.rows import language_loss
from olmeda.tune.base import open_base
from olmeda.tune.encode import (
    Dropped,
    Encoded,
    encode_conversations,
    order_digest,
    padded,
    read_examples,
)
from olmeda.tune.order import ShuffledRows
from olmeda.tune.settings import TuneLoop


class SftConfig(Config, frozen=True):
    """What to finetune, and on which conversations."""

    base: ArtifactPath
    data: Annotated[list[ArtifactPath], Field(min_length=1)]
    """Examples artifacts with a ``train.jsonl`` of conversations, or such files."""
    loop: TuneLoop
    threads: Annotated[int, Field(gt=0)] = 1
    seed: int = 0
    """Of the order of the rows."""


@verb("tune.sft", makes="checkpoint", resumable=True)
def sft(config: SftConfig, making: Making) -> None:
    """Finetune a checkpoint on conversations.

    Raises InputError where no row is left to learn from.
    """
    prepare(config.threads, config.seed)
    base = open_base(config.base, config.loop.sequence)
    conversations = read_examples(config.data, Conversation)
    rows, dropped = encode_conversations(base.tokenizer, conversations, config.loop.sequence)
    require_rows(rows, dropped, config.loop.sequence)
    batches = conversation_batches(rows, config.loop, config.seed, base.tokenizer.pad)
    model = base.model
    end = fit(model, batches, language_loss(model.config), config.loop, making)
    hf.save(model, making.path, config.base)
    finish(making, end, model.config)
    making.counts |= {
        "rows": len(rows),
        "trainable_tokens": sum(row.trainable for row in rows),
        "rows_too_long": dropped.too_long,
        "rows_untrainable": dropped.untrainable,
    }


def conversation_batches(
    rows: Sequence[Encoded], loop: TuneLoop, seed: int, pad: int
) -> ShuffledRows:
    """Batches of whole conversations."""
    lengths = np.array([len(row.ids) for row in rows])
    return ShuffledRows(
        tokens=lengths,
        widths=lengths,
        batch_tokens=loop.batch_tokens,
        micro_tokens=loop.micro_tokens,
        seed=seed,
        order_digest=order_digest(rows, loop.batch_tokens, seed),
        collate=lambda numbers: padded([rows[n] for n in numbers], pad),
    )


def require_rows(rows: Sequence[object], dropped: Dropped, sequence: int) -> None:
    """Raise InputError, with the reasons, where nothing is left to train on."""
    if not rows:
        raise InputError(
            f"no row is left to learn from: {dropped.too_long} longer than loop.sequence "
            f"{sequence}, {dropped.untrainable} without anything to learn"
        )
