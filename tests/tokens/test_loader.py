"""The loader: every instance once an epoch, in an order that only seed and epoch decide."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from olmeda.artifacts.tokenset import TokenSet
from olmeda.base.errors import ConfigError
from olmeda.tokens.loader import TokenLoader
from olmeda.tokens.order import permuted, round_keys


@pytest.fixture(scope="module")
def opened(tokenset: Path) -> TokenSet:
    return TokenSet.open(tokenset)


def stream(opened: TokenSet) -> np.ndarray:
    return np.concatenate([opened.ids(s) for s in opened.index.shards]).astype(np.int64)


def test_an_instance_is_the_stretch_of_the_stream_that_the_permutation_names(
    opened: TokenSet,
) -> None:
    loader, whole = TokenLoader(opened, 50, seed=9), stream(opened)
    n = loader.instances
    for place in (0, 7, n - 1, n, 5 * n + 3):
        read = loader.read(place, 1)
        assert read.ids_BT.shape == (1, 50)
        assert read.ids_BT.dtype == read.labels_BT.dtype == np.int64
        assert read.lengths is None
        epoch, position = divmod(place, n)
        (number,) = permuted(np.array([position]), n, round_keys(9, epoch))
        assert np.array_equal(read.ids_BT[0], whole[number * 50 : number * 50 + 50])
        assert np.array_equal(read.labels_BT[0], whole[number * 50 + 1 : number * 50 + 51])


@settings(max_examples=30, deadline=None)
@given(sequence=st.integers(100, 3000), seed=st.integers(0, 2**63), epoch=st.integers(0, 4))
def test_any_epoch_of_any_loader_predicts_every_token_once(
    opened: TokenSet, sequence: int, seed: int, epoch: int
) -> None:
    loader, whole = TokenLoader(opened, sequence, seed), stream(opened)
    labels = loader.read(epoch * loader.instances, loader.instances).labels_BT
    used = loader.instances * sequence
    assert 0 <= opened.tokens - 1 - used < sequence
    assert np.array_equal(np.sort(labels.ravel()), np.sort(whole[1 : used + 1]))


def test_epochs_have_different_orders(opened: TokenSet) -> None:
    loader = TokenLoader(opened, 64, seed=3)
    one, other = (loader.read(e * loader.instances, loader.instances) for e in (0, 1))
    assert (one.ids_BT == other.ids_BT).all(1).mean() < 0.1


def test_how_many_are_read_at_once_does_not_change_what_is_read(opened: TokenSet) -> None:
    loader = TokenLoader(opened, 64, seed=5)
    first = loader.instances - 20
    singles = np.concatenate([loader.read(first + i, 1).ids_BT for i in range(40)])
    assert np.array_equal(singles, loader.read(first, 40).ids_BT)


def test_places_can_be_read_in_any_order(opened: TokenSet) -> None:
    forth = [TokenLoader(opened, 64, seed=5).read(4 * s, 4).ids_BT for s in range(6)]
    loader = TokenLoader(opened, 64, seed=5)
    back = [loader.read(4 * s, 4).ids_BT for s in reversed(range(6))]
    assert all(np.array_equal(a, b) for a, b in zip(forth, reversed(back)))


def test_digest_names_seed_sequence_and_attention(opened: TokenSet) -> None:
    digests = {TokenLoader(opened, t, s).order_digest for t in (32, 64) for s in (0, 1)}
    inside = TokenLoader(opened, 32, 0, inside_documents=True).order_digest
    assert len({*digests, inside}) == 5
    assert TokenLoader(opened, 32, 0).order_digest in digests


def test_too_little_text_says_what_to_do(opened: TokenSet) -> None:
    with pytest.raises(ConfigError, match="shorter sequence"):
        TokenLoader(opened, opened.tokens, seed=5)


def test_a_stretch_that_sees_only_itself_has_the_labels_of_one_document(opened: TokenSet) -> None:
    loader = TokenLoader(opened, 100, seed=1, inside_documents=True)
    read = loader.read(3, 40)
    assert read.lengths is not None
    assert sum(read.lengths) == 40 * 100
    spans = loader.spans(3, 40)
    assert read.lengths == tuple((spans["end"] - spans["begin"]).to_list())
    end = opened.index.special["eos"]
    begins = np.cumsum([0, *read.lengths[:-1]])
    inside = begins[begins % 100 != 0]
    assert (read.ids_BT.ravel()[inside] == end).all(), "a document begins after an end token"


@pytest.mark.parametrize("sequence", [40, 1000])
def test_the_places_of_a_document_are_those_whose_spans_name_it(
    opened: TokenSet, sequence: int
) -> None:
    loader = TokenLoader(opened, sequence, seed=8)
    before = 2 * loader.instances + loader.instances // 2
    spans = loader.spans(0, before)
    names = opened.documents["id"].to_list()
    for number, name in enumerate(names):
        wanted = spans.filter(id=name)["place"].unique().sort().to_list()
        assert loader.places_of(number, before).tolist() == wanted
