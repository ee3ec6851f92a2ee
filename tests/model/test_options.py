"""Every option against its formula, with a cache and without, alone and beside others."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import cross_entropy

from model import plainly
from model.conftest import CONFIGS
from model.test_hf import drawn
from olmeda.base.errors import ConfigError
from olmeda.model.cache import Cache
from olmeda.model.config import ModelConfig, load_preset
from olmeda.model.loss import lm_loss, token_logprobs
from olmeda.model.segments import Segments
from olmeda.model.transformer import Transformer

DENSE = [name for name, config in CONFIGS.items() if config.experts is None]


def some_ids(rows: int = 3, tokens: int = 30) -> torch.Tensor:
    return torch.randint(0, 96, (rows, tokens), generator=torch.Generator().manual_seed(8))


def lively(config: ModelConfig) -> Transformer:
    model = Transformer(config)
    drawn(model)
    return model.eval()


@torch.no_grad()
@pytest.mark.parametrize("name", DENSE)
def test_logits_are_those_of_the_formulas(name: str) -> None:
    model, ids = lively(CONFIGS[name]), some_ids(1)
    found = model.logits(model(ids).h_BTD)[0].double()
    torch.testing.assert_close(found, plainly.logits(model, ids[0]), rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_reading_piece_by_piece_equals_reading_at_once(config: ModelConfig) -> None:
    model, ids = lively(config), some_ids()
    cache = Cache(config, 3, 30)
    pieces = [(0, 11), (11, 12), (12, 20), (20, 21), (21, 30)]
    parts = [model.logits(model(ids[:, a:b], cache).h_BTD) for a, b in pieces]
    wanted = model.logits(model(ids).h_BTD)
    torch.testing.assert_close(torch.cat(parts, 1), wanted, rtol=1e-4, atol=2e-5)


@torch.no_grad()
def test_each_stretch_of_a_row_is_read_as_if_alone(config: ModelConfig) -> None:
    model, ids = lively(config), some_ids(2)
    lengths = (13, 13, 4, 1, 20, 9)
    found = model(ids, segments=Segments(lengths)).h_BTD.flatten(0, 1).split(lengths)
    for one, alone in zip(found, ids.flatten().split(lengths), strict=True):
        torch.testing.assert_close(one, model(alone[None]).h_BTD[0], rtol=1e-3, atol=1e-4)


@torch.no_grad()
def test_autocast_and_half_precision_come_close(config: ModelConfig) -> None:
    model, ids = Transformer.initialised(config, 1).eval(), some_ids()
    wanted = model.logits(model(ids).h_BTD)
    with torch.autocast("cpu", torch.bfloat16):
        found = model.logits(model(ids).h_BTD)
    near = float(wanted.std()) / 4  # also where a rounding sends a token to another expert
    torch.testing.assert_close(found.float(), wanted, rtol=0, atol=2 * near)
    assert float((found - wanted).square().mean().sqrt()) < near / 2
    half = model.to(torch.bfloat16)
    half.fill_tables()
    found = half.logits(half(ids).h_BTD)
    assert found.dtype == torch.bfloat16
    assert float((found - wanted).square().mean().sqrt()) < near / 2


@pytest.mark.parametrize("name", ["softcaps", "all_at_once"])
@pytest.mark.parametrize("z", [False, True])
def test_loss_counts_capped_logits(name: str, z: bool) -> None:
    model, ids = lively(CONFIGS[name]), some_ids()
    labels = ids.roll(-1, 1)
    labels[0, :5] = -100
    parts = lm_loss(model, ids, labels, z=z)
    parts.nll_sum.backward()
    ours = {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    logits = model.logits(model(ids).h_BTD)
    wanted = cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="sum")
    wanted.backward()
    torch.testing.assert_close(parts.nll_sum, wanted, rtol=1e-5, atol=1e-3)
    for name_, parameter in model.named_parameters():
        torch.testing.assert_close(ours[name_], parameter.grad, rtol=1e-3, atol=1e-3)
    of_labels = token_logprobs(model, ids, labels)
    torch.testing.assert_close(of_labels.sum(), -wanted, rtol=1e-5, atol=1e-3)


def test_every_parameter_gets_a_gradient(config: ModelConfig) -> None:
    model, ids = lively(config), some_ids()
    parts = lm_loss(model, ids, ids.roll(-1, 1))
    (parts.nll_sum + parts.balance).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0 or name.endswith(("up", "down")), name


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"zero_out": True, "norm": "plain_layer"}, "zero_out needs norms with weights"),
        (
            {"no_rope_every": 1, "rope_scaling": {"kind": "linear", "factor": 2}},
            "no layer has rotary positions",
        ),
        ({"rope_scaling": {"kind": "yarm", "factor": 2}}, "rope_scaling"),
        (
            {"rope_scaling": {"kind": "llama3", "factor": 2, "low": 4, "high": 4, "original": 8}},
            "low 4.0 must be less than high 4.0",
        ),
        (
            {"rope_scaling": {"kind": "yarn", "factor": 2, "slow": 40, "original": 8}},
            "slow 40.0 must be less than fast 32.0",
        ),
        ({"head_dim": 7}, "heads are 7 wide, which must be even"),
        ({"clip_qkv": 0}, "clip_qkv"),
        ({"activation": "relu"}, "activation"),
        ({"init": "fan_out"}, "init"),
    ],
)
def test_options_that_cannot_be_are_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_preset("tour-dense", **values)
