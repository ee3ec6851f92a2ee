"""Configurations: presets as published, and messages that say what does not fit."""

from __future__ import annotations

import pytest

from olmeda.base.errors import ConfigError
from olmeda.model.config import ModelConfig, load_preset, preset_names
from olmeda.model.flops import active_parameters, parameters


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_loads(name: str) -> None:
    assert isinstance(load_preset(name), ModelConfig)


@pytest.mark.parametrize(
    ("name", "total", "active"),
    [
        # https://huggingface.co/allenai: 1.48B, 7.30B; OLMoE 6.92B with 1.28B active
        ("olmo2-1b", 1_484_916_736, 1_484_916_736),
        ("olmo2-7b", 7_298_617_344, 7_298_617_344),
        ("olmoe-1b-7b", 6_919_161_856, 1_282_017_280),
    ],
)
def test_published_presets_have_the_published_size(name: str, total: int, active: int) -> None:
    assert parameters(load_preset(name)) == total
    assert active_parameters(load_preset(name)) == active


def test_tour_models_have_equal_active_parameters_but_for_the_router() -> None:
    dense, moe = load_preset("tour-dense"), load_preset("tour-moe")
    assert moe.experts is not None
    router = moe.layers * moe.width * moe.experts.count
    assert active_parameters(moe) - router == active_parameters(dense)


def test_preset_key_in_a_mapping_is_the_preset_with_values_over_it() -> None:
    values = {"preset": "tour-moe", "layers": 2, "experts": {"chosen": 4}}
    config = ModelConfig.model_validate(values)
    assert config == load_preset("tour-moe", layers=2, experts={"chosen": 4})
    assert config.experts is not None
    assert (config.experts.count, config.experts.chosen) == (8, 4)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"heads": 3}, "width 128 is no multiple of heads 3"),
        ({"heads": 128}, "must be even"),
        ({"kv_heads": 3}, "heads 4 is no multiple of kv_heads 3"),
        ({"experts": {"count": 2, "chosen": 3}}, "chosen 3 of 2 experts"),
        ({"width": 0}, "width: "),
        ({"norm_plaice": "after"}, "did you mean 'norm_place'"),
    ],
)
def test_what_does_not_fit_is_said(values: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_preset("tour-dense", **values)


def test_unknown_preset_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="did you mean 'tour-dense'"):
        load_preset("tour-dence")
