"""Opening the checkpoint that tuning starts from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from olmeda.artifacts.checkpoint import Checkpoint
from olmeda.base.errors import ArtifactError, ConfigError
from olmeda.model import hf
from olmeda.model.transformer import Transformer
from olmeda.tokens.tokenizer import Tokenizer


@dataclass(frozen=True)
class Base:
    """A model and the tokenizer it was trained with."""

    model: Transformer
    tokenizer: Tokenizer


def open_base(path: Path, sequence: int) -> Base:
    """Open ``path`` to be tuned on rows of ``sequence`` tokens.

    Raises ArtifactError if its tokenizer has ids that the model has no row for, ConfigError if
    the rows are longer than the model's context.
    """
    tokenizer = Tokenizer.open(path)
    model = hf.load(path)
    if tokenizer.vocab_size > model.config.vocab_size:
        raise ArtifactError(
            f"{path}: the tokenizer has {tokenizer.vocab_size} ids and the model "
            f"{model.config.vocab_size} rows; this tokenizer belongs to another model"
        )
    if sequence > model.config.sequence:
        raise ConfigError(
            f"loop.sequence {sequence} is longer than the context of {path}, "
            f"{model.config.sequence}; say loop.sequence={model.config.sequence}"
        )
    return Base(model, tokenizer)


def require_same_tokenizer(path: Path, other: Path) -> None:
    """Raise ArtifactError unless two checkpoints were trained with the same tokenizer."""
    if Checkpoint.open(path).tokenizer_digest() != Checkpoint.open(other).tokenizer_digest():
        raise ArtifactError(
            f"{other}: was trained with another tokenizer than {path}; both must share one"
        )
