"""Train a byte-level BPE tokenizer and write it as transformers reads it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gigatoken
import tokenizers
from pydantic import Field
from tokenizers import decoders, models, pre_tokenizers

from olmeda.artifacts.corpus import Corpus
from olmeda.artifacts.lineage import Making
from olmeda.artifacts.verb import verb
from olmeda.base.config import ArtifactPath, Config
from olmeda.base.errors import ConfigError, InputError
from olmeda.base.files import write_bytes, write_json
from olmeda.tokens.chat import CHAT_TEMPLATE, END, PAD, SPECIAL_TOKENS

SMALLEST = 256 + len(SPECIAL_TOKENS)
Merge = tuple[bytes, bytes]


class TrainConfig(Config, frozen=True):
    """Settings of ``tokens.train``."""

    corpus: ArtifactPath
    vocab_size: int = Field(4096)
    """Ids in all: special tokens, 256 bytes and merges."""


@verb("tokens.train", makes="tokenizer")
def train(config: TrainConfig, making: Making) -> None:
    """Train a byte-level BPE tokenizer on a corpus."""
    if config.vocab_size < SMALLEST:
        raise ConfigError(
            f"vocab_size {config.vocab_size}: bytes and special tokens alone are {SMALLEST}"
        )
    corpus = Corpus.open(config.corpus)
    if not corpus.bytes:
        raise InputError(f"{config.corpus}: no text to train a tokenizer on")
    files = [corpus.path / "documents" / f"{s.name}.jsonl.zst" for s in corpus.shards]
    merges = learn_merges(files, config.vocab_size)
    tokenizer = assemble(merges)
    write_tokenizer(tokenizer, making.path)
    making.counts |= {
        "vocab_size": tokenizer.get_vocab_size(),
        "merges": len(merges),
        "documents": corpus.documents,
        "bytes": corpus.bytes,
    }


def learn_merges(files: list[Path], vocab_size: int) -> list[Merge]:
    """Learn merges from the ``text`` of JSON lines, in the order that tokenizers' trainer has.

    Fewer merges than asked for mean that the text has no more pairs.
    """
    source = gigatoken.JsonlFileSource(files, "text")
    with _quiet():
        _, merges = gigatoken.train_bpe(source, vocab_size, list(SPECIAL_TOKENS))
    return [(bytes(left), bytes(right)) for left, right in merges]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence file descriptors 1 and 2: gigatoken's trainer prints its progress from Rust."""
    saved = [os.dup(1), os.dup(2)]
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 1)
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        for to, descriptor in enumerate(saved, 1):
            os.dup2(descriptor, to)
            os.close(descriptor)


def byte_letters() -> dict[int, str]:
    """The printable letter that stands for each byte in a byte-level vocabulary (GPT-2's)."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters = {byte: chr(byte) for byte in printable}
    for byte in range(256):
        if byte not in letters:
            letters[byte] = chr(256 + len(letters) - len(printable))
    return letters


def assemble(merges: list[Merge]) -> tokenizers.Tokenizer:
    """Make a tokenizer: ids are special tokens, then bytes, then merges in order."""
    letters = byte_letters()
    spelled = [(_spell(left, letters), _spell(right, letters)) for left, right in merges]
    words = [*SPECIAL_TOKENS, *sorted(letters.values()), *("".join(pair) for pair in spelled)]
    vocabulary = {word: number for number, word in enumerate(words)}
    tokenizer = tokenizers.Tokenizer(models.BPE(vocab=vocabulary, merges=spelled))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(
        [tokenizers.AddedToken(t, special=True, normalized=False) for t in SPECIAL_TOKENS]
    )
    return tokenizer


def _spell(content: bytes, letters: dict[int, str]) -> str:
    return "".join(letters[byte] for byte in content)


def write_tokenizer(tokenizer: tokenizers.Tokenizer, folder: Path) -> None:
    """Write the three files that AutoTokenizer of transformers reads."""
    named = {"bos_token": END, "eos_token": END, "pad_token": PAD}
    configuration: dict[str, Any] = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        **named,
        "model_max_length": 1_000_000_000,
        "clean_up_tokenization_spaces": False,
        "chat_template": CHAT_TEMPLATE,
    }
    write_bytes(folder / "tokenizer.json", tokenizer.to_str(pretty=True).encode())
    write_json(folder / "tokenizer_config.json", configuration)
    write_json(folder / "special_tokens_map.json", named)
