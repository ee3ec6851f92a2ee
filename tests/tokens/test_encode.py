"""A token set holds its documents, whatever the workers and the engine."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from olmeda.artifacts.corpus import Corpus
from olmeda.artifacts.lineage import Lineage
from olmeda.artifacts.tokenset import TokenSet
from olmeda.base.errors import ArtifactError, InputError
from olmeda.tokens import encode as encode_module
from olmeda.tokens.encode import EncodeConfig, encode
from olmeda.tokens.tokenizer import Tokenizer
from tokens.conftest import write_corpus


def test_every_document_comes_back_from_its_place(corpus: Path, tokenset: Path) -> None:
    opened = TokenSet.open(tokenset)
    tokenizer = Tokenizer.open(opened.tokenizer)
    shards = {s.name: opened.ids(s) for s in opened.index.shards}
    rows = opened.documents.iter_rows(named=True)
    for document, row in zip(Corpus.open(corpus), rows, strict=True):
        ids = shards[row["shard"]][row["start"] : row["end"]]
        assert ids[-1] == tokenizer.eos
        assert tokenizer.decode(ids[:-1].tolist(), skip_special=False) == document.text
        assert (row["id"], row["source"]) == (document.id, document.source)
        assert row["bytes"] == len(document.text.encode())


def test_ids_hold_one_end_a_document_and_no_other_special(tokenset: Path) -> None:
    opened = TokenSet.open(tokenset)
    ids = np.concatenate([opened.ids(s) for s in opened.index.shards])
    assert (ids == opened.index.special["eos"]).sum() == len(opened.documents)
    assert not ((ids >= 1) & (ids <= 4)).any()


@pytest.mark.parametrize("change", [{"workers": 2}, {"engine": "tokenizers"}, {"checked": 0}])
def test_result_depends_on_neither_workers_nor_engine(
    corpus: Path, tokenizer: Path, tokenset: Path, tmp_path: Path, change: dict[str, object]
) -> None:
    values = {"corpus": corpus, "tokenizer": tokenizer, **change}
    other = encode(EncodeConfig.model_validate(values), tmp_path / "other")
    assert Lineage.open(other).digest == Lineage.open(tokenset).digest


def test_counts_tell_tokens_of_each_source(tokenset: Path) -> None:
    counts = Lineage.open(tokenset).counts
    assert counts["tokens"] == counts["tokens_topics"] + counts["tokens_odd"]
    assert counts["documents"] == 31
    assert counts["bytes_per_token"] > 1.5


def test_disagreement_with_the_tokenizers_library_stops(
    corpus: Path, tokenizer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = Tokenizer.encode_batch

    def wrong(self: Tokenizer, texts: list[str]) -> list[np.ndarray]:
        return [ids[::-1] for ids in right(self, texts)]

    monkeypatch.setattr(encode_module.Tokenizer, "encode_batch", wrong)
    with pytest.raises(InputError, match="engine=tokenizers"):
        encode(EncodeConfig(corpus=corpus, tokenizer=tokenizer), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_corpus_without_documents_is_refused(tokenizer: Path, tmp_path: Path) -> None:
    empty = write_corpus(tmp_path / "empty", [])
    with pytest.raises(InputError, match="no documents"):
        encode(EncodeConfig(corpus=empty, tokenizer=tokenizer), tmp_path / "out")


def test_shortened_shard_is_an_artifact_error(tokenset: Path, tmp_path: Path) -> None:
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(tokenset, copy)
    shard = next((copy / "shards").iterdir())
    shard.write_bytes(shard.read_bytes()[:-2])
    with pytest.raises(ArtifactError, match="changed since it was made"):
        TokenSet.open(copy)
