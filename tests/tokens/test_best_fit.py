"""Best-fit packing: no document that fits is cut, no token is lost, little room is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from olmeda.artifacts.tokenset import TokenSet
from olmeda.tokens.best_fit import BestFit, pack
from olmeda.tokens.heldout import IGNORED
from olmeda.tokens.loader import Part, TokenLoader
from olmeda.tokens.stream import TokenStream


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(1, 90), min_size=1, max_size=60), st.integers(1, 40))
def test_every_token_is_packed_once_and_only_long_documents_are_cut(
    lengths: list[int], room: int
) -> None:
    bins = pack(lengths, room)
    assert all(0 < sum(n for _, _, n in held) <= room for held in bins)
    assert all(held == sorted(held) for held in bins)
    items = sorted(item for held in bins for item in held)
    for document, length in enumerate(lengths):
        mine = [(since, n) for d, since, n in items if d == document]
        assert [n for _, n in mine] == [room] * (length // room) + [length % room] * (
            length % room > 0
        )
        assert [since for since, _ in mine] == [k * room for k in range(len(mine))]


def test_a_rest_goes_where_it_leaves_the_least() -> None:
    # 6 and 5 do not share 10; 4 fills the first; 3 and 2 fill the second
    assert pack([3, 6, 4, 5, 2], 10) == [[(1, 0, 6), (2, 0, 4)], [(0, 0, 3), (3, 0, 5), (4, 0, 2)]]


def test_bins_are_nearly_as_few_as_they_can_be() -> None:
    lengths = np.random.default_rng(0).lognormal(5.5, 1.2, 1024).astype(int) + 1
    bins = pack(lengths.tolist(), 2048)
    assert len(bins) <= 1.01 * lengths.sum() / 2048 + 1


@pytest.fixture(scope="module")
def loader(tokenset: Path) -> TokenLoader:
    """Windows of five documents, the smallest of them kept in memory."""
    opened = TokenSet.open(tokenset)
    packing = BestFit(TokenStream(opened), 300, window=5)
    return TokenLoader(opened, 300, 4, [Part("", packing)], inside_documents=True)


def test_an_epoch_predicts_every_token_of_every_document_once(loader: TokenLoader) -> None:
    opened = loader.tokenset
    read, spans = loader.read(0, loader.instances), loader.spans(0, loader.instances)
    whole = {
        name: opened.document_ids(row, count)
        for name, row, count in opened.documents.select("id", "row", "count").iter_rows()
    }
    seen = {name: np.zeros(len(ids), int) for name, ids in whole.items()}
    for place, begin, end, name, _, since, upto, _ in spans.iter_rows():
        assert np.array_equal(read.labels_BT[place, begin:end], whole[name][since:upto])
        before = whole[name][since - 1] if since else opened.index.special["eos"]
        assert read.ids_BT[place, begin] == before
        assert np.array_equal(read.ids_BT[place, begin + 1 : end], whole[name][since : upto - 1])
        seen[name][since:upto] += 1
    assert all((times == 1).all() for times in seen.values())
    assert (read.labels_BT != IGNORED).sum() == opened.tokens


def test_stretches_fill_the_rows_padding_last(loader: TokenLoader) -> None:
    read, spans = loader.read(0, loader.instances), loader.spans(0, loader.instances)
    assert read.lengths is not None
    ends = np.cumsum(read.lengths)
    assert ends[-1] == read.ids_BT.size
    assert set(300 * np.arange(1, loader.instances + 1)) <= set(ends.tolist())
    padded = (read.labels_BT == IGNORED).any(1).sum()
    assert padded > 0
    assert len(read.lengths) == len(spans) + padded


def test_the_places_of_a_document_are_those_whose_spans_name_it(loader: TokenLoader) -> None:
    before = 3 * loader.instances - 2
    spans = loader.spans(0, before)
    for number, name in enumerate(loader.tokenset.documents["id"].to_list()):
        wanted = spans.filter(id=name)["place"].unique().sort().to_list()
        assert loader.places_of(number, before).tolist() == wanted
