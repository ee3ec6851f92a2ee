"""Training a tokenizer: against the tokenizers trainer, and twice the same."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from olmeda.artifacts.corpus import Corpus, Document
from olmeda.artifacts.lineage import Lineage
from olmeda.base.errors import ConfigError, InputError
from olmeda.tokens.chat import SPECIAL_TOKENS
from olmeda.tokens.train import TrainConfig, train
from tokens.conftest import write_corpus


def test_vocabulary_and_merges_equal_the_tokenizers_trainer(corpus: Path, tokenizer: Path) -> None:
    reference = Tokenizer(models.BPE())
    reference.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=600,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    reference.train_from_iterator([d.text for d in Corpus.open(corpus)], trainer)
    ours = json.loads((tokenizer / "tokenizer.json").read_text())
    theirs = json.loads(reference.to_str())
    assert ours["model"]["merges"] == theirs["model"]["merges"]
    assert ours["model"]["vocab"] == theirs["model"]["vocab"]


def test_training_twice_gives_the_same_digest(
    corpus: Path, tokenizer: Path, tmp_path: Path
) -> None:
    again = train(TrainConfig(corpus=corpus, vocab_size=600), tmp_path / "again")
    assert Lineage.open(again).digest == Lineage.open(tokenizer).digest


def test_training_prints_nothing(
    corpus: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    train(TrainConfig(corpus=corpus, vocab_size=300), tmp_path / "quiet")
    assert capfd.readouterr().out == ""


def test_vocabulary_below_the_bytes_is_refused(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="261"):
        train(TrainConfig(corpus=corpus, vocab_size=200), tmp_path / "out")


def test_corpus_without_text_is_refused(tmp_path: Path) -> None:
    empty = write_corpus(tmp_path / "empty", [Document("a", "", "s")])
    with pytest.raises(InputError, match="no text"):
        train(TrainConfig(corpus=empty, vocab_size=300), tmp_path / "out")


def test_text_with_too_few_pairs_gives_a_smaller_vocabulary(tmp_path: Path) -> None:
    tiny = write_corpus(tmp_path / "tiny", [Document("a", "aa aa", "s")])
    made = train(TrainConfig(corpus=tiny, vocab_size=4096), tmp_path / "out")
    assert Lineage.open(made).counts["vocab_size"] < 270
