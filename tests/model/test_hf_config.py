"""Keys of a ``config.json``: the same model both ways, old places read, the unknown refused."""

from __future__ import annotations

from typing import Any

import pytest
from transformers import AutoConfig

from model.conftest import HELD, OWN
from olmeda.base.errors import ArtifactError
from olmeda.model.config import ModelConfig
from olmeda.model.hf_config import from_hf, to_hf
from olmeda.model.hf_families import FAMILIES, family_of, why_own

SPECIAL = {"bos": 0, "eos": 0, "pad": 1}


def values_of(name: str, **changes: Any) -> dict[str, Any]:
    return {**to_hf(HELD[name], SPECIAL), **changes}


def test_configuration_survives_the_way_there_and_back(config: ModelConfig) -> None:
    again = from_hf(to_hf(config, SPECIAL), "here")
    assert again == config.model_copy(update={"kv_heads": again.kv_heads})


def test_transformers_gives_back_what_we_wrote(held: ModelConfig) -> None:
    values = to_hf(held, SPECIAL)
    theirs = AutoConfig.for_model(**values).to_dict()
    assert from_hf(theirs, "here") == from_hf(values, "here")


def test_every_family_is_tested_both_ways() -> None:
    found = {family.model_type for config in HELD.values() if (family := family_of(config))}
    assert found == {family.model_type for family in FAMILIES}
    assert [family_of(config) for config in OWN.values()] == [None] * len(OWN)


def test_own_layout_names_what_each_architecture_lacks() -> None:
    assert "olmo2: activation" in why_own(OWN["relu2"])
    assert "olmoe: experts.shared" in why_own(OWN["sparse_now_and_then"])


@pytest.mark.parametrize("name", ["dense", "moe", "llama", "smollm3"])
def test_old_place_of_rope_theta_is_read(name: str) -> None:
    values = values_of(name, rope_parameters=None, rope_theta=777.0)
    assert from_hf(values, "here").rope_theta == 777.0


def test_old_place_of_rope_scaling_is_read() -> None:
    """As in meta-llama/Llama-3.1-8B."""
    old = {
        "factor": 8.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 32,
        "rope_type": "llama3",
    }
    values = values_of("llama3", rope_parameters=None, rope_scaling=old, rope_theta=500.0)
    assert from_hf(values, "here") == from_hf(values_of("llama3"), "here")


def test_published_olmo_3_is_read_as_its_preset() -> None:
    """Keys of allenai/Olmo-3-1025-7B that bear on the computation, as written by version 4.57."""
    from olmeda.model.config import load_preset

    kinds = (["sliding_attention"] * 3 + ["full_attention"]) * 8
    scaling = {
        "rope_type": "yarn",
        "factor": 8.0,
        "attention_factor": 1.2079441541679836,
        "beta_fast": 32,
        "beta_slow": 1,
        "original_max_position_embeddings": 8192,
    }
    values = {
        "model_type": "olmo3",
        "vocab_size": 100278,
        "hidden_size": 4096,
        "intermediate_size": 11008,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 32,
        "hidden_act": "silu",
        "max_position_embeddings": 65536,
        "initializer_range": 0.02,
        "rms_norm_eps": 1e-6,
        "rope_theta": 500000,
        "rope_scaling": scaling,
        "sliding_window": 4096,
        "layer_types": kinds,
        "attention_bias": False,
        "tie_word_embeddings": False,
    }
    found = from_hf(values, "here")
    preset = load_preset("olmo3-7b")
    assert found.rope_scaling is not None
    assert found.rope_scaling.model_dump() == pytest.approx(
        {**preset.model_dump()["rope_scaling"], "attention": 0.1 * 2.0794415416798357 + 1}
    )
    wanted = preset.model_copy(
        update={"kv_heads": 32, "rope_scaling": found.rope_scaling, "z_weight": 0.0}
    )
    assert found == wanted


def test_layers_that_are_not_named_are_every_fourth() -> None:
    values = values_of("olmo3")
    del values["layer_types"]
    assert from_hf({**values, "num_hidden_layers": 8}, "here").full_every == 4
    values = values_of("smollm3", num_hidden_layers=8, no_rope_layers=None)
    del values["no_rope_layer_interval"]
    assert from_hf(values, "here").no_rope_every == 4


def test_absent_tie_means_what_the_family_means() -> None:
    for name, tied in (("dense", False), ("smollm3", True)):
        values = values_of(name)
        del values["tie_word_embeddings"]
        assert from_hf(values, "here").tied is tied


NEAR, FAR = "sliding_attention", "full_attention"
YARN = {"rope_type": "yarn", "factor": 2.0, "original_max_position_embeddings": 8}


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("dense", {"rope_parameters": {"rope_type": "yarm"}}, "called 'yarm'; did you mean 'yarn'"),
        ("dense", {"rope_parameters": {**YARN, "mscale": 0.7}}, "mscale of rope type 'yarn'"),
        ("dense", {"rope_parameters": {**YARN, "truncate": False}}, "truncate of rope type"),
        ("llama", {"rope_parameters": {"rope_type": "llama3", "factor": 2}}, "lacks 'low_freq_f"),
        ("llama", {"mlp_bias": True}, "mlp_bias True is not supported"),
        ("olmo3", {"rope_parameters": {FAR: {}, NEAR: YARN}}, "rope type 'yarn', only 'default'"),
        (
            "olmo3",
            {"rope_parameters": {FAR: {"rope_theta": 1.0}, NEAR: {"rope_theta": 2.0}}},
            "differ in rope_theta",
        ),
        ("olmo3", {"layer_types": [FAR, NEAR, NEAR, FAR]}, "every so-many-th layer and the last"),
        ("smollm3", {"no_rope_layers": [0, 1, 1, 1]}, "every so-many-th layer has no positions"),
        ("smollm3", {"use_sliding_window": True, "sliding_window": 8}, "use_sliding_window true"),
        ("qwen3", {"use_sliding_window": True}, "use_sliding_window True"),
        ("moe", {"num_experts": None}, "experts.count"),
    ],
)
def test_what_we_cannot_compute_is_refused(
    name: str, changes: dict[str, Any], message: str
) -> None:
    from olmeda.base.errors import ConfigError

    with pytest.raises((ArtifactError, ConfigError), match=message):
        from_hf(values_of(name, **changes), "here")
