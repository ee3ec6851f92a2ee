"""A checkpoint opened for use: model, tokenizer, chat format, and the ids that end a text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from olmeda.artifacts.checkpoint import Checkpoint
from olmeda.base.errors import ArtifactError
from olmeda.base.files import read_json
from olmeda.model import hf
from olmeda.model.transformer import Transformer
from olmeda.serve.template import ChatFormat
from olmeda.tokens.tokenizer import Tokenizer


@dataclass(frozen=True)
class Served:
    """What answers. ``name``: what clients call it; ``ends``: ids that end an answer."""

    name: str
    model: Transformer
    tokenizer: Tokenizer
    chat: ChatFormat
    ends: frozenset[int]

    @classmethod
    def open(cls, path: Path, name: str = "") -> Served:
        """Open a checkpoint; on a GPU where there is one. Raises ArtifactError if it cannot be."""
        checkpoint = Checkpoint.open(path)
        tokenizer = Tokenizer.open(path)
        model = hf.load(path)
        if tokenizer.vocab_size > model.config.vocab_size:
            raise ArtifactError(
                f"{path}: the tokenizer has {tokenizer.vocab_size} ids and the model "
                f"{model.config.vocab_size}; they do not belong together"
            )
        if torch.cuda.is_available():
            model = model.cuda()
        ends = frozenset([tokenizer.eos, *_ends(checkpoint.path)])
        name = name or path.resolve().name
        return cls(name, model.eval(), tokenizer, ChatFormat(path, tokenizer), ends)

    @property
    def context(self) -> int:
        """Tokens of the longest text, prompt included."""
        return self.model.config.sequence

    def encode(self, text: str) -> list[int]:
        """The ids of a prompt; an empty one is the token that begins a text."""
        return self.tokenizer.encode(text) or [self.tokenizer.bos]

    def token_text(self, token: int) -> str:
        """One token as text by itself, special ones by their name."""
        return self.tokenizer.decode([token], skip_special=False)


def _ends(path: Path) -> Sequence[int]:
    """The end tokens that ``generation_config.json`` names (chat models have several)."""
    file = path / "generation_config.json"
    if not file.is_file():
        return ()
    held: Any = read_json(file, dict[str, Any]).get("eos_token_id")
    if held is None:
        return ()
    ids = held if isinstance(held, list) else [held]
    if any(type(i) is not int or i < 0 for i in ids):
        raise ArtifactError(f"{file}: eos_token_id is {held!r}; it must be an id or a list of ids")
    return ids
