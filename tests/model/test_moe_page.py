"""What docs/model/moe.md shows works as it stands there, and every key is on it."""

from __future__ import annotations

import re
from pathlib import Path

import torch
import yaml

from model.conftest import TINY
from olmeda.model import hf
from olmeda.model.config import ModelConfig, load_preset
from olmeda.model.experts_config import ExpertsConfig
from olmeda.model.transformer import Transformer
from olmeda.model.upcycle import Upcycling

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "model" / "moe.md").read_text()


def block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    assert found
    return found[1]


def test_the_configuration_has_the_layers_that_the_page_tells_of() -> None:
    config = ModelConfig.model_validate(yaml.safe_load(block("yaml"))["model"])
    assert [config.experts_of(layer) is not None for layer in range(4)] == [False, True] * 2
    assert config.dense_width == 96 * (4 + 1)


def test_the_example_keeps_the_logits(tokenizer: Path, tmp_path: Path) -> None:
    config = load_preset("tour-dense", **TINY, mlp_width=48)
    hf.save(Transformer.initialised(config, 1), tmp_path / "dense", tokenizer)
    space: dict[str, object] = {"folder": tmp_path / "dense"}
    exec(block("python"), space)  # noqa: S102 (our own page)
    dense, mixture = space["dense"], space["mixture"]
    assert isinstance(dense, Transformer)
    assert isinstance(mixture, Transformer)
    ids = torch.arange(60).view(2, 30)
    torch.testing.assert_close(mixture(ids).h_BTD, dense(ids).h_BTD, rtol=1e-5, atol=1e-5)


def test_every_key_is_on_the_page() -> None:
    for name in (*ExpertsConfig.model_fields, *Upcycling.model_fields):
        assert re.search(rf"^\|[^|]*`{name}`", PAGE, re.MULTILINE), name


def test_files_that_the_page_names_exist() -> None:
    names = re.findall(r"`?((?:tests/[a-z]+/\s?|experts/)[a-z_]+\.py)`?", PAGE)
    assert len(names) > 6
    for name in (n.replace("\n", "") for n in names):
        assert (ROOT / name).is_file() or (ROOT / "olmeda" / "model" / name).is_file(), name
