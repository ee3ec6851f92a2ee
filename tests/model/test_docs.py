"""What docs/model.md and docs/model/families.md show works as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
import yaml

from model.test_hf import logits
from olmeda.model.config import ModelConfig, load_preset, preset_names
from olmeda.model.hf_families import FAMILIES, NEUTRAL
from olmeda.model.transformer import Transformer

DOCS = Path(__file__).parents[2] / "docs"
OVERVIEW = (DOCS / "model.md").read_text()
FAMILIES_PAGE = (DOCS / "model" / "families.md").read_text()


def block(page: str, language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", page, re.DOTALL)
    assert found
    return found[1]


def test_the_overviews_example_runs(tokenizer: Path, tmp_path: Path) -> None:
    ids = torch.randint(0, 4096, (2, 17), generator=torch.Generator().manual_seed(0))
    space = {
        "ids_BT": ids[:, :-1],
        "labels_BT": ids[:, 1:],
        "folder": tmp_path / "checkpoint",
        "tokenizer": tokenizer,
    }
    exec(block(OVERVIEW, "python"), space)  # noqa: S102 (our own page)
    assert len(space["answers"][0]) <= 20  # type: ignore[index]


def test_the_families_example_opens_in_transformers(tokenizer: Path, tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    space = {"folder": tmp_path / "checkpoint", "tokenizer": tokenizer}
    exec(block(FAMILIES_PAGE, "python"), space)  # noqa: S102 (our own page)
    theirs, ids = AutoModelForCausalLM.from_pretrained(space["folder"]), torch.arange(30)[None]
    same = space["same"]
    assert isinstance(same, Transformer)
    torch.testing.assert_close(theirs(ids).logits.detach(), logits(same, ids), rtol=0, atol=1e-5)


def test_the_families_configuration_is_one() -> None:
    values = yaml.safe_load(block(FAMILIES_PAGE, "yaml"))["model"]
    config = ModelConfig.model_validate(values)
    assert config == load_preset("ladder-11m", **{k: v for k, v in values.items() if k != "preset"})


def test_every_family_option_and_preset_stands_on_the_page() -> None:
    for family in FAMILIES:
        assert f"`{family.model_type}`" in FAMILIES_PAGE
    for option in NEUTRAL:
        assert f"`{option.partition('.')[0]}" in FAMILIES_PAGE, option
    for name in preset_names():
        family, _, size = name.partition("-")
        assert family in FAMILIES_PAGE
        assert f"-{size}`" in FAMILIES_PAGE or f"`{name}`" in FAMILIES_PAGE, name


@pytest.mark.parametrize("page", [OVERVIEW, FAMILIES_PAGE])
def test_files_that_the_pages_name_exist(page: str) -> None:
    model = DOCS.parent / "olmeda" / "model"
    for name in re.findall(r"`((?:olmeda/model/)?[a-z_/]+\.py)`", page):
        places = [model / name, DOCS.parent / name]
        assert any(place.is_file() for place in places), name
