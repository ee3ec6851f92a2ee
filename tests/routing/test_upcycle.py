"""``routing.upcycle``: from a dense checkpoint to one with experts, through files."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from model.conftest import TINY
from model.conftest import tokenizer as tokenizer
from olmeda.artifacts.lineage import Lineage
from olmeda.base.errors import ConfigError
from olmeda.model import hf
from olmeda.model.config import ModelConfig, load_preset
from olmeda.model.flops import parameters
from olmeda.model.transformer import Transformer
from olmeda.routing.upcycle import UpcycleConfig, upcycle
from olmeda.verbs import find_verb


def checkpoint(config: ModelConfig, folder: Path, tokenizer: Path) -> Path:
    hf.save(Transformer.initialised(config, 3), folder, tokenizer)
    return folder


def logits(folder: Path) -> torch.Tensor:
    model = hf.load(folder)
    with torch.no_grad():
        return model.logits(model(torch.arange(60).view(2, 30)).h_BTD)


@pytest.mark.parametrize("place", ["before", "after"])
def test_the_mixture_computes_what_the_dense_checkpoint_does(
    place: str, tmp_path: Path, tokenizer: Path
) -> None:
    config = load_preset("tour-dense", **TINY, mlp_width=48, norm_place=place)
    dense = checkpoint(config, tmp_path / "dense", tokenizer)
    asked = UpcycleConfig.model_validate(
        {
            "checkpoint": dense,
            "experts": {"count": 4, "chosen": 2, "renormalise": True, "shared": 1, "every": 2},
        }
    )
    out = upcycle(asked, tmp_path / "mixture")
    torch.testing.assert_close(logits(out), logits(dense), rtol=1e-5, atol=1e-5)
    counts = Lineage.open(out).counts
    assert counts["parameters"] == parameters(hf.load(out).config)
    assert counts["dense_parameters"] == parameters(config)


def test_a_checkpoint_with_experts_is_refused(tmp_path: Path, tokenizer: Path) -> None:
    config = load_preset("tour-moe", **TINY, mlp_width=24)
    sparse = checkpoint(config, tmp_path / "sparse", tokenizer)
    asked = UpcycleConfig.model_validate(
        {"checkpoint": sparse, "experts": {"count": 4, "chosen": 2, "renormalise": True}}
    )
    with pytest.raises(ConfigError, match="has experts already"):
        upcycle(asked, tmp_path / "mixture")
    assert not (tmp_path / "mixture").exists()


def test_the_verb_is_known_by_its_name() -> None:
    assert find_verb("routing.upcycle") is upcycle
