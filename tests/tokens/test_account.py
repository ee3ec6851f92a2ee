"""The account of an order: every document in a part or told to be in none."""

from __future__ import annotations

from pathlib import Path

import pytest

from olmeda.artifacts.tokenset import TokenSet
from olmeda.tokens.account import account, told
from olmeda.tokens.data_config import DataConfig


@pytest.fixture(scope="module")
def opened(tokenset: Path) -> TokenSet:
    return TokenSet.open(tokenset)


def test_a_plain_order_has_one_part_with_all(opened: TokenSet) -> None:
    loader = DataConfig().build(opened, 64, 1)
    held = account(loader, 3 * loader.instances)
    (part,) = held.parts
    assert (part.documents, part.tokens) == (len(opened.documents), opened.tokens)
    assert (part.share, part.epochs) == (1.0, 3.0)
    assert held.left_documents == 0
    assert "in no part" not in told(held)


def test_a_mixture_counts_what_each_part_gives_and_what_is_left(opened: TokenSet) -> None:
    mix = {"parts": {"short": {"max_tokens": 40}, "prose": {"sources": ["topics"]}},
           "shares": {"short": 1, "prose": 3}}  # fmt: skip
    packing = {"kind": "best_fit"}
    loader = DataConfig.model_validate({"mix": mix, "packing": packing}).build(opened, 64, 1)
    held = account(loader, 1500)
    spans = loader.spans(0, 1500).unique(["place"])
    sizes = dict(opened.documents.select("id", "tokens").iter_rows())
    short = sum(sizes[name] <= 40 for name in spans["id"])
    assert [p.drawn for p in held.parts] == [short, 1500 - short]
    assert held.parts[0].epochs == short / held.parts[0].instances
    for part in held.parts:
        assert 0 < part.filled <= 1
    left = [n for n, s, t in opened.documents.select("id", "source", "tokens").iter_rows()
            if s != "topics" and t > 40]  # fmt: skip
    assert held.left_documents == len(left)
    assert held.left_tokens == sum(sizes[n] for n in left)
