"""The transformer: causal, cached exactly, initialised from a seed."""

from __future__ import annotations

import pytest
import torch

from model.conftest import BOTH, CONFIGS
from olmeda.base.errors import InputError
from olmeda.model.cache import Cache
from olmeda.model.config import ModelConfig, load_preset
from olmeda.model.flops import active_parameters, flops_per_token, parameters, tokens_seen
from olmeda.model.transformer import Transformer


def ids(config: ModelConfig, rows: int = 3, tokens: int = 30) -> torch.Tensor:
    generator = torch.Generator().manual_seed(8)
    return torch.randint(0, config.vocab_size, (rows, tokens), generator=generator)


@torch.no_grad()
def test_no_token_sees_a_later_one(config: ModelConfig) -> None:
    model = Transformer.initialised(config, 0)
    one, other = ids(config), ids(config)
    other[:, 20:] = 5
    torch.testing.assert_close(model(one).h_BTD[:, :20], model(other).h_BTD[:, :20])


@torch.no_grad()
def test_reading_piece_by_piece_equals_reading_at_once(config: ModelConfig) -> None:
    model, text = Transformer.initialised(config, 0), ids(config)
    cache = Cache(config, 3, 30)
    parts = [model(text[:, a:b], cache).h_BTD for a, b in ((0, 11), (11, 12), (12, 20), (20, 30))]
    torch.testing.assert_close(torch.cat(parts, 1), model(text).h_BTD, rtol=1e-4, atol=1e-5)


def test_same_seed_gives_the_same_weights_and_another_seed_others() -> None:
    models = [Transformer.initialised(CONFIGS["moe"], seed) for seed in (1, 1, 2)]
    one, same, other = (torch.cat([p.flatten() for p in m.parameters()]) for m in models)
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_initialisation_leaves_the_global_generator_alone() -> None:
    torch.manual_seed(0)
    before = torch.get_rng_state()
    Transformer.initialised(CONFIGS["moe"], 1)
    assert torch.equal(before, torch.get_rng_state())


def test_weights_are_a_normal_cut_at_three_deviations() -> None:
    model = Transformer.initialised(CONFIGS["dense"].model_copy(update={"width": 256}), 1)
    drawn = torch.cat([p.detach().flatten() for p in model.parameters() if p.ndim > 1])
    assert float(drawn.abs().max()) <= 0.06
    assert float(drawn.std()) == pytest.approx(0.02 * 0.9866, rel=0.01)  # sd of N(0,1) cut at 3
    assert all((p == 1).all() for p in model.parameters() if p.ndim == 1)


def test_parameters_are_counted_right(config: ModelConfig) -> None:
    model = Transformer(config)
    assert parameters(config) == sum(p.numel() for p in model.parameters())


def test_active_parameters_leave_out_unchosen_experts() -> None:
    config = CONFIGS["moe"]
    unchosen = config.layers * 6 * 3 * config.width * config.mlp_width
    assert parameters(config) - active_parameters(config) == unchosen
    assert parameters(CONFIGS["dense"]) == active_parameters(CONFIGS["dense"])


@pytest.mark.parametrize(
    "name", [*BOTH, "grouped", "wide_heads", "tied", "relu2", "values", "sparse_now_and_then"]
)
def test_flops_equal_those_torch_counts_but_for_attention(name: str) -> None:
    from torch.utils.flop_counter import FlopCounterMode

    config = CONFIGS[name]
    model, text = Transformer.initialised(config, 0), ids(config)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model.logits(model(text).h_BTD)
    wanted = flops_per_token(config, 0, training=False) * text.numel()
    products = {"aten.mm", "aten.addmm", "aten.bmm"}
    counted = sum(n for op, n in counter.get_flop_counts()["Global"].items() if str(op) in products)
    assert counted == pytest.approx(wanted, rel=0.01)


@pytest.mark.parametrize("tokens", [1, 5, 7, 40])
def test_tokens_seen_are_those_of_the_mask_counted_as_areas(tokens: int) -> None:
    config = CONFIGS["olmo3"]
    for layer in range(config.layers):
        window = tokens if config.sees_all(layer) else config.window
        seen = [min(t + 1, window) for t in range(tokens)]
        # a triangle counts as half its square, as plain causal attention counts T / 2
        assert tokens_seen(config, layer, tokens) == pytest.approx(
            sum(seen) / tokens - 0.5 * min(window, tokens) / tokens
        )


def test_windows_make_long_sequences_cheap() -> None:
    near = load_preset("olmo3-7b")
    full = near.model_copy(update={"window": 0, "rope_scaling": None})
    attention = [flops_per_token(c, 65536) - flops_per_token(c, 0) for c in (near, full)]
    assert attention[0] / attention[1] == pytest.approx(0.25 + 0.75 * 4096 / 32768, rel=0.05)


def test_more_tokens_than_the_context_is_an_error() -> None:
    model = Transformer.initialised(CONFIGS["dense"], 0)
    with pytest.raises(InputError, match="65 tokens are more than the model's context of 64"):
        model(ids(model.config, 1, 65))


def test_routing_is_reported_for_each_layer() -> None:
    model = Transformer.initialised(CONFIGS["moe"], 0)
    routers = model(ids(model.config)).routers
    assert len(routers) == model.config.layers
    for routed in routers:
        assert routed.chosen_NK.shape == (90, 2)
        torch.testing.assert_close(routed.probs_NE.sum(-1), torch.ones(90))
        assert torch.equal(routed.weights_NK, routed.probs_NE.gather(1, routed.chosen_NK))
