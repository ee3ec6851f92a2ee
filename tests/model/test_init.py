"""Standard deviations of the initialisations, by the role of each matrix."""

from __future__ import annotations

import math

import pytest
import torch

from model.conftest import CONFIGS
from olmeda.model.config import ModelConfig, load_preset
from olmeda.model.transformer import Transformer

D, F, LAYERS = 256, 512, 3
SHAPE = {"width": D, "mlp_width": F, "layers": LAYERS, "vocab_size": 512, "heads": 4}
CUT = 0.98658  # standard deviation of N(0, 1) cut at 3


def initialised(init: str, **options: object) -> Transformer:
    config = load_preset("tour-dense", **{**SHAPE, "init": init, "init_std": 0.03, **options})
    return Transformer.initialised(config, 1)


def deviations(model: Transformer) -> dict[str, list[float]]:
    """Role -> standard deviation in each layer (or one alone), as of an uncut normal."""
    found: dict[str, list[float]] = {}

    def add(role: str, weight: torch.Tensor) -> None:
        found.setdefault(role, []).append(float(weight.detach().std()) / CUT)

    for name, weight in model.named_parameters():
        role = name.partition("blocks.")[2].partition(".")[2] or name
        if weight.ndim > 1 and "gate_up" in role:
            gate, up = weight.chunk(2, -2)
            add("gate", gate)
            add("up", up)
        elif weight.ndim > 1:
            add(role.removesuffix(".weight"), weight)
    return found


BY_DEPTH = [0.03 / math.sqrt(2 * layer) for layer in (1, 2, 3)]
MITCHELL_OUT = [1 / math.sqrt(2 * D * layer) for layer in (1, 2, 3)]
MITCHELL_DOWN = [1 / math.sqrt(2 * F * layer) for layer in (1, 2, 3)]
ALL = [0.03] * LAYERS
SAME = [1 / math.sqrt(D)] * LAYERS


@pytest.mark.parametrize(
    ("init", "wanted"),
    [
        ("normal", {"embed": [0.03], "head": [0.03], "gate": ALL, "up": ALL, "mlp.down": ALL}),
        (
            "mitchell",
            {
                "embed": [D**-0.5],
                "head": [D**-0.5],
                "attention.qkv": SAME,
                "attention.out": MITCHELL_OUT,
                "gate": SAME,
                "up": SAME,
                "mlp.down": MITCHELL_DOWN,
            },
        ),
        (
            "llama",
            {
                "embed": [1.0],
                "head": [D**-0.5],
                "attention.qkv": ALL,
                "attention.out": [0.03 / math.sqrt(2 * LAYERS)] * LAYERS,
                "gate": ALL,
                "up": [0.03 / math.sqrt(2 * LAYERS)] * LAYERS,
                "mlp.down": [0.03 / math.sqrt(2 * LAYERS)] * LAYERS,
            },
        ),
        (
            "llama_depth",
            {"attention.out": BY_DEPTH, "gate": ALL, "up": BY_DEPTH, "mlp.down": BY_DEPTH},
        ),
        (
            "fan_in",
            {
                "embed": [1.0],
                "head": [D**-0.5],
                "attention.qkv": SAME,
                "gate": SAME,
                "mlp.down": [F**-0.5] * LAYERS,
            },
        ),
    ],
)
def test_deviations_are_those_of_the_scheme(init: str, wanted: dict[str, list[float]]) -> None:
    found = deviations(initialised(init))
    for role, values in wanted.items():
        assert found[role] == pytest.approx(values, rel=0.02), role


@pytest.mark.parametrize("init", ["mitchell", "llama_depth", "fan_in"])
def test_experts_are_drawn_as_mlps_are(init: str) -> None:
    dense, sparse = initialised(init), initialised(init, experts={"count": 8, "chosen": 2})
    found, wanted = deviations(sparse), deviations(dense)
    for role in ("gate", "up", "mlp.down"):
        assert found[role] == pytest.approx(wanted[role], rel=0.02), role


@torch.no_grad()
@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("init", ["normal", "mitchell", "llama", "llama_depth", "fan_in"])
def test_no_scheme_begins_far_from_an_even_guess(init: str, tied: bool) -> None:
    model = initialised(init, tied=tied)
    ids = torch.randint(0, 512, (2, 64), generator=torch.Generator().manual_seed(0))
    scores = model.logits(model(ids).h_BTD)[:, :-1].flatten(0, 1)
    loss = torch.nn.functional.cross_entropy(scores, ids[:, 1:].flatten())
    assert float(loss) == pytest.approx(math.log(512), abs=0.8)


def test_nothing_is_drawn_beyond_the_cutoff() -> None:
    model = initialised("normal", init_cutoff=2.0)
    assert max(float(p.detach().abs().max()) for p in model.parameters() if p.ndim > 1) <= 0.06


def test_value_embeddings_are_as_large_as_the_values_they_join() -> None:
    model = initialised("normal", value_embeddings=1)
    values = model.blocks[0].attention.values
    stream = torch.randn(512, D, generator=torch.Generator().manual_seed(0))
    v = stream @ model.blocks[0].attention.qkv.weight[2 * D :].T
    assert float(values.embed.detach().std()) == pytest.approx(float(v.detach().std()), rel=0.03)
    assert (values.share == 1).all()


def identities() -> list[ModelConfig]:
    held = ("dense", "moe", "llama", "olmo1", "layer_norm", "relu2", "sparse_now_and_then")
    return [CONFIGS[name].model_copy(update={"zero_out": True}) for name in held]


@torch.no_grad()
@pytest.mark.parametrize("config", identities(), ids=str)
def test_zero_out_makes_every_block_the_identity(config: ModelConfig) -> None:
    model = Transformer.initialised(config, 1)
    ids = torch.arange(40)[None]
    wanted = model.norm(model.embed[ids])
    torch.testing.assert_close(model(ids).h_BTD, wanted)


def test_weights_that_begin_at_zero_learn() -> None:
    for config in identities():
        model = Transformer.initialised(config, 1)
        ids = torch.arange(40)[None]
        model.logits(model(ids).h_BTD).square().sum().backward()
        of_blocks = [p.grad for n, p in model.named_parameters() if n.startswith("blocks.0.")]
        assert sum(float(g.abs().sum()) for g in of_blocks if g is not None) > 0


def test_draws_of_the_default_scheme_stay_what_they_were() -> None:
    """Weights of published runs follow from their seeds."""
    model = Transformer.initialised(CONFIGS["moe"], 1)
    generator = torch.Generator().manual_seed(1)
    for name, weight in model.named_parameters():
        wanted = torch.ones_like(weight)
        if weight.ndim > 1:
            torch.nn.init.trunc_normal_(wanted, 0.0, 0.02, -0.06, 0.06, generator=generator)
        assert torch.equal(weight, wanted), name
