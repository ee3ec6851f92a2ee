"""The stream of ids: what lies where, and whose it is."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from olmeda.artifacts.tokenset import TokenSet
from olmeda.base.errors import ArtifactError
from olmeda.tokens.encode import EncodeConfig, encode
from olmeda.tokens.loader import TokenLoader
from olmeda.tokens.stream import TokenStream


@pytest.fixture(scope="module", params=["whole", "cut"])
def opened(
    request: pytest.FixtureRequest,
    tokenset: Path,
    corpus: Path,
    tokenizer: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> TokenSet:
    """A set whose documents lie in one file each, and one that cuts them."""
    if request.param == "whole":
        return TokenSet.open(tokenset)
    config = EncodeConfig(corpus=corpus, tokenizer=tokenizer, shard_tokens=500)
    return TokenSet.open(encode(config, tmp_path_factory.mktemp("cut") / "tokens"))


def test_documents_lie_in_the_stream_where_it_says(opened: TokenSet) -> None:
    stream = TokenStream(opened)
    assert len(stream.begins_D) == len(opened.documents) + 1
    for number, (row, count) in enumerate(opened.documents.select("row", "count").iter_rows()):
        begin, end = stream.begins_D[number : number + 2].tolist()
        held = stream.rows(np.array([begin]), end - begin)[0]
        assert np.array_equal(held, opened.document_ids(row, count))


def test_a_stream_of_some_documents_holds_them_end_to_end(opened: TokenSet) -> None:
    chosen = np.array([0, 3, 4, 5, 9, len(opened.documents) - 1])
    stream = TokenStream(opened, chosen)
    whole = [
        opened.document_ids(row, count)
        for row, count in opened.documents[chosen].select("row", "count").iter_rows()
    ]
    assert stream.tokens == sum(map(len, whole))
    assert np.array_equal(stream.rows(np.array([0]), stream.tokens)[0], np.concatenate(whole))
    assert np.diff(stream.begins_D).tolist() == [len(ids) for ids in whole]
    assert [stream.place_of(n) for n in (0, 1, 4, 9)] == [0, None, 2, 4]
    found = stream.stretches(np.array([5, len(whole[0]) + 1]), len(whole[1]) + len(whole[2]))
    assert found.document_S[found.row_S == 1].tolist() == [3, 4, 5]


def test_a_table_with_a_gap_is_refused(opened: TokenSet) -> None:
    holed = dataclasses.replace(opened, pieces=opened.pieces[np.r_[0:3, 4 : len(opened.pieces)]])
    with pytest.raises(ArtifactError, match="do not fill the files"):
        TokenStream(holed).begins_D  # noqa: B018 (read for its check)


def test_spans_tell_whose_every_token_is(opened: TokenSet) -> None:
    loader = TokenLoader(opened, 40, seed=2)
    first, count = loader.instances - 30, 60
    rows, spans = loader.read(first, count), loader.spans(first, count)
    assert spans["place"].unique(maintain_order=True).to_list() == [*range(first, first + count)]
    whole = {
        name: opened.document_ids(row, pieces)
        for name, row, pieces in opened.documents.select("id", "row", "count").iter_rows()
    }
    told = np.full((count, 40), -1, np.int64)
    for place, begin, end, name, _, since, upto, _ in spans.iter_rows():
        assert upto - since == end - begin > 0
        told[place - first, begin:end] = whole[name][since:upto]
    assert np.array_equal(told, rows.labels_BT)
    assert np.array_equal(rows.ids_BT[:, 1:], rows.labels_BT[:, :-1])


def test_an_id_that_the_tokenizer_has_not_names_file_and_place(
    opened: TokenSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = TokenStream(opened)
    spoiled = [np.array(part) for part in stream._ids]
    spoiled[1][7] = opened.index.vocab_size
    monkeypatch.setattr(stream, "_ids", spoiled)
    name, start = opened.index.shards[1].name, opened.index.shards[0].tokens
    assert stream.rows(np.array([start + 8]), 4).shape == (1, 4)
    with pytest.raises(ArtifactError, match=rf"{name}\.bin: token 7 is id 600.* has 600 ids"):
        stream.rows(np.array([0, start + 5]), 8)
