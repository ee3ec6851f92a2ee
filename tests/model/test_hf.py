"""Logits equal to transformers' within 1e-5 in float32, for each family, in both directions."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModelForCausalLM

from model.conftest import CONFIGS, HELD
from olmeda.model import hf
from olmeda.model.config import ModelConfig
from olmeda.model.hf_config import to_hf
from olmeda.model.hf_families import FAMILIES, family_of
from olmeda.model.transformer import Transformer

SPECIAL = {"bos": 0, "eos": 0, "pad": 1}


def some_ids(config: ModelConfig) -> torch.Tensor:
    generator = torch.Generator().manual_seed(5)
    return torch.randint(0, config.vocab_size, (3, 40), generator=generator)


def logits(model: Transformer, ids: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return model.logits(model(ids).h_BTD)


@torch.no_grad()
def drawn(model: torch.nn.Module) -> None:
    """Weights under which positions, windows and norms all matter to the logits."""
    generator = torch.Generator().manual_seed(9)
    for weight in model.parameters():
        mean, std = (0.0, 0.15) if weight.ndim > 1 else (0.6, 0.3)
        torch.nn.init.normal_(weight, mean, std, generator=generator)


def assert_transformers_agrees(model: Transformer, folder: Path) -> None:
    theirs, ids = AutoModelForCausalLM.from_pretrained(folder), some_ids(model.config)
    with torch.no_grad():
        wanted = theirs(ids).logits
    assert wanted.dtype == torch.float32
    assert theirs.config.eos_token_id == 0
    assert theirs.config.pad_token_id == 1
    torch.testing.assert_close(logits(model, ids), wanted, rtol=0, atol=1e-5)


def assert_we_agree(config: ModelConfig, folder: Path) -> None:
    theirs = AutoModelForCausalLM.from_config(AutoConfig.for_model(**to_hf(config, SPECIAL)))
    drawn(theirs.eval())
    theirs.save_pretrained(folder)
    ids = some_ids(config)
    with torch.no_grad():
        wanted = theirs(ids).logits
    opened = hf.load(folder)
    assert opened.config == config.model_copy(update={"kv_heads": config.key_heads})
    torch.testing.assert_close(logits(opened, ids), wanted, rtol=0, atol=1e-5)


def test_transformers_opens_ours_with_equal_logits(
    held: ModelConfig, tokenizer: Path, tmp_path: Path
) -> None:
    model = Transformer(held)
    drawn(model)
    hf.save(model, tmp_path, tokenizer)
    assert_transformers_agrees(model, tmp_path)


def test_we_open_theirs_with_equal_logits(held: ModelConfig, tmp_path: Path) -> None:
    assert_we_agree(held, tmp_path)


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("family", [f.model_type for f in FAMILIES])
def test_every_family_is_held_tied_and_untied(
    family: str, tied: bool, tokenizer: Path, tmp_path: Path
) -> None:
    configs = {found.model_type: c for c in HELD.values() if (found := family_of(c)) is not None}
    config = configs[family].model_copy(update={"tied": tied})
    model = Transformer(config)
    drawn(model)
    hf.save(model, tmp_path / "ours", tokenizer)
    assert_transformers_agrees(model, tmp_path / "ours")
    assert_we_agree(config, tmp_path / "theirs")


@pytest.mark.parametrize(
    ("name", "option"),
    [
        ("olmo3", {"window": 8}),
        ("olmo3", {"full_every": 4}),
        ("olmo3_stretched", {"rope_scaling": None}),
        ("stretched", {"rope_scaling": None}),
        ("llama3", {"rope_scaling": None}),
        ("linear", {"rope_scaling": None}),
        ("smollm3", {"no_rope_every": 4}),
        ("clipped", {"clip_qkv": None}),
        ("olmo1_clipped", {"clip_qkv": None}),
        ("renormalised", {"experts": HELD["moe"].experts}),
        ("softcaps", {"logit_softcap": 0.0}),
        ("softcaps", {"attention_softcap": 0.0}),
        ("all_at_once", {"no_rope_every": 2}),
    ],
)
def test_option_changes_the_logits(name: str, option: dict[str, object]) -> None:
    """What the parity tests compare would differ if an option were left out."""
    one = Transformer(CONFIGS[name])
    drawn(one)
    other = Transformer(CONFIGS[name].model_copy(update=option))
    other.load_state_dict(one.state_dict())
    ids = some_ids(one.config)
    assert float((logits(one, ids) - logits(other, ids)).abs().max()) > 1e-3


def test_saving_and_loading_keeps_every_bit(
    config: ModelConfig, tokenizer: Path, tmp_path: Path
) -> None:
    model = Transformer.initialised(config, 3)
    hf.save(model, tmp_path, tokenizer)
    opened = hf.load(tmp_path)
    for (name, one), other in zip(model.named_parameters(), opened.parameters(), strict=True):
        assert torch.equal(one, other), name


def test_saving_twice_gives_the_same_bytes(tokenizer: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        hf.save(Transformer.initialised(CONFIGS["moe"], 3), tmp_path / name, tokenizer)
    for file in ("model.safetensors", "config.json", "generation_config.json"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_names_on_disk_are_those_that_transformers_writes(
    held: ModelConfig, tokenizer: Path, tmp_path: Path
) -> None:
    hf.save(Transformer.initialised(held, 3), tmp_path / "ours", tokenizer)
    AutoModelForCausalLM.from_pretrained(tmp_path / "ours").save_pretrained(tmp_path / "theirs")
    ours = load_file(tmp_path / "ours" / "model.safetensors")
    theirs = load_file(tmp_path / "theirs" / "model.safetensors")
    assert {n: t.shape for n, t in ours.items()} == {n: t.shape for n, t in theirs.items()}
