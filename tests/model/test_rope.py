"""Stretched frequencies against transformers' for the published models, and their formulas."""

from __future__ import annotations

import math

import pytest
import torch
from transformers import AutoConfig
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

from olmeda.model.config import Linearly, Llama3, Yarn, load_preset, preset_names
from olmeda.model.hf_config import to_hf
from olmeda.model.rope import rotary_table, stretched

SCALED = [n for n in preset_names() if load_preset(n).rope_scaling is not None]


def plain(width: int = 64, theta: float = 500_000.0) -> torch.Tensor:
    return theta ** -(torch.arange(0, width, 2) / width)


@pytest.mark.parametrize("name", SCALED)
def test_frequencies_of_published_models_are_those_of_transformers(name: str) -> None:
    config = load_preset(name)
    values = to_hf(config, {"bos": 0, "eos": 0, "pad": 0})
    theirs = AutoConfig.for_model(**values)
    assert config.rope_scaling is not None
    kind = {"layer_type": "full_attention"} if config.window else {}
    wanted, size = ROPE_INIT_FUNCTIONS[config.rope_scaling.kind](theirs, "cpu", **kind)
    ours = plain(config.head_width, config.rope_theta)
    found, factor = stretched(ours, config.rope_theta, config.rope_scaling)
    torch.testing.assert_close(found, wanted, rtol=1e-6, atol=0)
    assert factor == pytest.approx(size)


def test_positions_divided_by_the_factor_are_those_of_the_shorter_context() -> None:
    short = rotary_table(16, 8, 100.0)
    long = rotary_table(64, 8, 100.0, Linearly(factor=4))
    for one, other in zip(short, long, strict=True):
        torch.testing.assert_close(one, other[::4])


def test_llama_3_keeps_what_turns_often_and_divides_what_hardly_turns() -> None:
    scaling = Llama3(factor=8, original=8192)
    ours = plain()
    found, _ = stretched(ours, 500_000.0, scaling)
    turns = scaling.original * ours / (2 * math.pi)
    assert torch.equal(found[turns >= 4], ours[turns >= 4])
    torch.testing.assert_close(found[turns <= 1], ours[turns <= 1] / 8)
    between = (turns > 1) & (turns < 4)
    assert between.any()
    assert ((found < ours) & (found > ours / 8))[between].all()


def test_yarn_sharpens_attention_by_its_factor() -> None:
    cos, sin = rotary_table(32, 64, 500_000.0, Yarn(factor=8, original=8192))
    size = cos.square() + sin.square()
    torch.testing.assert_close(size, torch.full_like(size, (0.1 * math.log(8) + 1) ** 2))
    cos, sin = rotary_table(32, 64, 500_000.0, Yarn(factor=8, original=8192, attention=1.0))
    torch.testing.assert_close(cos.square() + sin.square(), torch.ones_like(cos))


def test_a_factor_of_one_changes_nothing() -> None:
    for scaling in (Linearly(factor=1), Llama3(factor=1, original=64), Yarn(factor=1, original=64)):
        found, size = stretched(plain(), 500_000.0, scaling)
        torch.testing.assert_close(found, plain())
        assert size == 1
