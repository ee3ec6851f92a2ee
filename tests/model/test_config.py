"""Configurations: presets as published, and messages that say what does not fit."""

from __future__ import annotations

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from olmeda.base.errors import ConfigError
from olmeda.model.config import ModelConfig, load_preset, preset_names
from olmeda.model.flops import active_parameters, parameters
from olmeda.model.hf_config import to_hf
from olmeda.model.hf_families import family_of


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_loads(name: str) -> None:
    assert isinstance(load_preset(name), ModelConfig)


@pytest.mark.parametrize(
    ("name", "total"),
    [
        # numbers of parameters of the published safetensors (huggingface.co/allenai, meta-llama,
        # HuggingFaceTB)
        ("olmo-1b", 1_176_764_416),
        ("olmo-7b", 6_888_095_744),
        ("olmo2-1b", 1_484_916_736),
        ("olmo2-7b", 7_298_617_344),
        ("olmo2-13b", 13_716_198_400),
        ("olmo2-32b", 32_234_279_936),
        ("olmo3-7b", 7_298_011_136),
        ("olmo3-32b", 32_233_522_176),
        ("olmoe-1b-7b", 6_919_161_856),
        ("llama3-8b", 8_030_261_248),
        ("llama3-70b", 70_553_706_496),
        ("llama3.1-8b", 8_030_261_248),
        ("llama3.1-70b", 70_553_706_496),
        ("llama3.1-405b", 405_853_388_800),
        ("llama3.2-1b", 1_235_814_400),
        ("llama3.2-3b", 3_212_749_824),
        ("llama3.3-70b", 70_553_706_496),
        ("smollm-135m", 134_515_008),
        ("smollm-360m", 361_821_120),
        ("smollm-1.7b", 1_711_376_384),
        ("smollm2-135m", 134_515_008),
        ("smollm2-360m", 361_821_120),
        ("smollm2-1.7b", 1_711_376_384),
        ("smollm3-3b", 3_075_098_624),
    ],
)
def test_published_presets_have_the_published_size(name: str, total: int) -> None:
    config = load_preset(name)
    assert parameters(config) == total
    if config.experts is None:
        assert active_parameters(config) == total


def test_olmoe_has_the_published_active_size() -> None:
    assert active_parameters(load_preset("olmoe-1b-7b")) == 1_282_017_280


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_is_held_by_the_architecture_it_is_named_for(name: str) -> None:
    family = family_of(load_preset(name))
    kinds = {"llama3": "llama", "smollm": "llama", "smollm2": "llama"}
    kinds |= {"ladder": "olmo2", "tour": "olmoe" if name == "tour-moe" else "olmo2"}
    kind = name.partition("-")[0].partition(".")[0]
    assert family is not None
    assert family.model_type == kinds.get(kind, kind)


@pytest.mark.parametrize("name", preset_names())
def test_transformers_counts_the_same_parameters_for_every_preset(name: str) -> None:
    values = to_hf(load_preset(name), {"bos": 0, "eos": 0, "pad": 0})
    with torch.device("meta"):
        theirs = AutoModelForCausalLM.from_config(AutoConfig.for_model(**values))
    assert sum(p.numel() for p in theirs.parameters()) == parameters(load_preset(name))


@pytest.mark.parametrize("size", ["14m", "30m", "60m", "100m", "190m", "370m"])
def test_sizes_for_ablations_count_one_embedding(size: str) -> None:
    config = load_preset(f"olmo2-{size}")
    counted = parameters(config) - config.vocab_size * config.width
    assert counted == pytest.approx(float(size[:-1]) * 1e6, rel=0.05)


@pytest.mark.parametrize("name", [n for n in preset_names() if n.startswith("ladder-")])
def test_ladder_follows_its_law(name: str) -> None:
    config = load_preset(name)
    step = config.width // 64
    assert (config.width, config.layers, config.heads) == (64 * step, 2 * step, 2 * step)
    assert config.mlp_width == 3 * config.width
    millions = float(name.removeprefix("ladder-").removesuffix("m"))
    assert parameters(config) / 1e6 == pytest.approx(millions, abs=0.5)


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
