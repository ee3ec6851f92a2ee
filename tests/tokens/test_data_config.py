"""The data block: parts, shares, stages, caps, and what is refused."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from olmeda.artifacts.tokenset import TokenSet
from olmeda.base.config import validated
from olmeda.base.errors import ArtifactError, ConfigError
from olmeda.tokens.allotment import BLOCK
from olmeda.tokens.data_config import DataConfig
from olmeda.tokens.heldout import IGNORED
from olmeda.tokens.loader import TokenLoader


@pytest.fixture(scope="module")
def opened(tokenset: Path) -> TokenSet:
    return TokenSet.open(tokenset)


def config(**values: Any) -> DataConfig:
    return validated(DataConfig, values, "")


def built(opened: TokenSet, sequence: int = 16, **values: Any) -> TokenLoader:
    return config(**values).build(opened, sequence, 7)


def sources_at(loader: TokenLoader, first: int, count: int) -> list[str]:
    spans = loader.spans(first, count).group_by("place", maintain_order=True).first()
    return spans["source"].to_list()


def test_without_settings_it_is_the_plain_loader(opened: TokenSet) -> None:
    one, other = built(opened), TokenLoader(opened, 16, 7)
    assert one.order_digest == other.order_digest
    assert np.array_equal(one.read(5, 9).ids_BT, other.read(5, 9).ids_BT)


@pytest.mark.parametrize("packing", ["chunks", "best_fit"])
def test_sources_come_in_their_shares_and_instances_keep_to_one(
    opened: TokenSet, packing: str
) -> None:
    loader = built(opened, packing={"kind": packing}, mix={"shares": {"odd": 1, "topics": 3}})
    spans = loader.spans(0, 2 * BLOCK)
    assert (spans.group_by("place").agg(n=_distinct())["n"] == 1).all()
    assert sources_at(loader, 0, BLOCK).count("odd") == BLOCK // 4
    assert sources_at(loader, BLOCK, BLOCK).count("odd") == BLOCK // 4
    assert loader.places is None


def _distinct() -> Any:
    import polars as pl

    return pl.col("source").n_unique()


def test_spans_and_rows_agree_in_a_mixture(opened: TokenSet) -> None:
    mix = {"shares": {"odd": 0.5, "topics": 0.5}}
    loader = built(opened, packing={"kind": "best_fit"}, attention="document", mix=mix)
    read, spans = loader.read(100, 50), loader.spans(100, 50)
    whole = {
        name: opened.document_ids(row, count)
        for name, row, count in opened.documents.select("id", "row", "count").iter_rows()
    }
    told = np.full(read.labels_BT.shape, IGNORED)
    for place, begin, end, name, _, since, upto, _ in spans.iter_rows():
        told[place - 100, begin:end] = whole[name][since:upto]
    assert np.array_equal(told, read.labels_BT)
    assert read.lengths is not None
    assert sum(read.lengths) == read.ids_BT.size


def test_stages_change_shares_and_a_ramp_moves_them(opened: TokenSet) -> None:
    stages = [
        {"until_tokens": 16 * BLOCK, "shares": {"odd": 1}},
        {"until_tokens": 16 * 9 * BLOCK, "shares": {"topics": 1}, "ramp": True},
        {"shares": {"topics": 1}},
    ]
    loader = built(opened, mix={"stages": stages})
    counts = [sources_at(loader, b * BLOCK, BLOCK).count("odd") for b in range(10)]
    assert counts[0] == BLOCK
    assert counts[9] == 0
    fallen = np.array(counts[1:9]) / BLOCK
    assert np.allclose(fallen, 1 - (np.arange(8) + 0.5) / 8, atol=0.02)


def test_a_stage_can_end_with_a_step(opened: TokenSet) -> None:
    stages = [{"until_steps": 30, "shares": {"odd": 1}}, {"shares": {"topics": 1}}]
    data = config(mix={"stages": stages})
    loader = data.build(opened, 16, 7, lambda sizes, step: 4 * step)
    assert set(sources_at(loader, 0, 120)) == {"odd"}
    assert set(sources_at(loader, 120, 120)) == {"topics"}


def test_a_length_curriculum_is_parts_by_length(opened: TokenSet) -> None:
    parts = {"short": {"max_tokens": 60}, "long": {"min_tokens": 61, "sources": ["top*"]}}
    stages = [{"until_tokens": 16 * BLOCK, "shares": {"short": 1}}, {"shares": {"long": 1}}]
    loader = built(opened, mix={"parts": parts, "stages": stages})
    sizes = dict(opened.documents.select("id", "tokens").iter_rows())
    early = {sizes[i] for i in loader.spans(0, BLOCK)["id"]}
    late = {sizes[i] for i in loader.spans(BLOCK, BLOCK)["id"]}
    assert max(early) <= 60 < min(late)


def test_a_part_is_repeated_so_often_and_no_more(opened: TokenSet) -> None:
    mix = {"shares": {"odd": 0.5, "topics": 0.5}, "repeat": {"odd": 2.5}}
    loader = built(opened, mix=mix)
    n = loader.parts[0].packing.instances if loader.parts[0].name == "odd" else 0
    n = n or loader.parts[1].packing.instances
    places = sources_at(loader, 0, 6 * BLOCK)
    assert places.count("odd") == int(2.5 * n)
    assert loader.places is None


def test_an_order_that_ends_knows_where(opened: TokenSet) -> None:
    loader = built(opened, mix={"shares": {"odd": 1}, "repeat": {"odd": 3}})
    assert loader.places == 3 * loader.instances
    loader.read(loader.places - 1, 1)
    with pytest.raises(ConfigError, match=r"raise data\.mix\.repeat"):
        loader.read(loader.places, 1)


def test_the_places_of_a_document_are_those_whose_spans_name_it_in_a_mixture(
    opened: TokenSet,
) -> None:
    stages = [
        {"until_tokens": 16 * 500, "shares": {"odd": 1, "topics": 1}},
        {"shares": {"odd": 1, "topics": 9}},
    ]
    mix = {"stages": stages, "repeat": {"odd": 40}}
    loader = built(opened, mix=mix)
    before = 2100
    spans = loader.spans(0, before)
    for number, name in enumerate(opened.documents["id"].to_list()):
        wanted = spans.filter(id=name)["place"].unique().sort().to_list()
        assert loader.places_of(number, before).tolist() == wanted, name


def test_a_repeated_instance_is_read_and_not_learned_from(opened: TokenSet) -> None:
    rule = {"longest": 1, "times": 2}
    plain, masked = built(opened).read(0, 400), built(opened, repeats=rule).read(0, 400)
    found = (masked.labels_BT == IGNORED).all(1)
    assert 0 < found.sum() < 400
    doubled = (plain.labels_BT[:, 1:] == plain.labels_BT[:, :-1]).any(1)
    assert np.array_equal(found, doubled)
    assert np.array_equal(plain.ids_BT, masked.ids_BT)
    assert np.array_equal(plain.labels_BT[~found], masked.labels_BT[~found])


def test_every_setting_changes_the_digest(opened: TokenSet) -> None:
    settings: list[dict[str, Any]] = [
        {},
        {"attention": "document"},
        {"packing": {"kind": "best_fit"}},
        {"packing": {"kind": "best_fit", "window": 7}},
        {"repeats": {}},
        {"mix": {"shares": {"odd": 1, "topics": 1}}},
        {"mix": {"shares": {"odd": 1, "topics": 2}}},
        {"mix": {"shares": {"odd": 1, "topics": 2}, "repeat": {"odd": 1}}},
        {"mix": {"shares": {"all": 1}, "parts": {"all": {}}}},
    ]
    digests = [built(opened, **s).order_digest for s in settings]
    assert len(set(digests)) == len(settings)
    assert built(opened, verify=False).order_digest == digests[0]


@pytest.mark.parametrize(
    ("mix", "message"),
    [
        ({"shares": {"od": 1}}, "no part is called 'od'.*has odd"),
        ({"shares": {"odd": 1}, "repeat": {"Topics": 2}}, "no part is called 'Topics'.*topics"),
        ({"shares": {"odd": 1}, "repeat": {"odd": 0.01}}, "instances of 'odd' is less than one"),
        ({"shares": {"odd": 0}}, "the shares of a stage are all 0"),
        (
            {
                "stages": [
                    {"shares": {"odd": 1}, "until_tokens": 500},
                    {"shares": {"odd": 1}, "until_tokens": 400},
                    {"shares": {"odd": 1}},
                ]
            },
            "no later than the one before",
        ),
        (
            {"stages": [{"shares": {"odd": 1}, "until_steps": 500}, {"shares": {"odd": 1}}]},
            "only a run knows its steps",
        ),
        ({"shares": {"odd": 1, "topics": 5000}}, "'odd' is less than one instance in 2048"),
        ({"shares": {"a": 1}, "parts": {"a": {"sources": ["x*"]}}}, "part 'a': .*less than one"),
    ],
)
def test_a_mixture_that_cannot_be_made_is_refused(
    opened: TokenSet, mix: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        built(opened, mix=mix)


@pytest.mark.parametrize(
    ("mix", "message"),
    [
        ({}, "give shares, or stages"),
        ({"shares": {"a": 1}, "stages": [{"shares": {"a": 1}}]}, "give shares, or stages"),
        ({"stages": [{"shares": {"a": 1}}, {"shares": {"a": 1}}]}, "every stage but the last"),
        ({"stages": [{"shares": {"a": 1}, "until_tokens": 5}]}, "every stage but the last"),
        ({"stages": [{"shares": {"a": 1}, "until_tokens": 5}, {"shares": {"a": 1}, "ramp": True}]},
         "a ramp leads"),
        ({"stages": [{"shares": {"a": 1}, "until_tokens": 5, "until_steps": 5},
                     {"shares": {"a": 1}}]}, "until_tokens or until_steps"),
    ],
)  # fmt: skip
def test_stages_that_make_no_sense_are_refused(mix: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        config(mix=mix)


def test_ids_that_changed_are_noticed_before_the_first_step(
    opened: TokenSet, tmp_path: Path
) -> None:
    copied = tmp_path / "tokens"
    shutil.copytree(opened.path, copied)
    file = next((copied / "shards").iterdir())
    content = bytearray(file.read_bytes())
    content[11] ^= 1
    file.write_bytes(content)
    changed = TokenSet.open(copied)
    with pytest.raises(ArtifactError, match=r"\.bin: changed since it was made"):
        built(changed)
    assert built(changed, verify=False).instances


def test_an_empty_or_shorter_file_is_noticed_at_opening(opened: TokenSet, tmp_path: Path) -> None:
    for size in (0, 100):
        copied = tmp_path / str(size)
        shutil.copytree(opened.path, copied)
        file = next((copied / "shards").iterdir())
        file.write_bytes(file.read_bytes()[:size])
        with pytest.raises(ArtifactError, match=r"\.bin: changed since it was made"):
            TokenSet.open(copied)
