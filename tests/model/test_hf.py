"""Logits equal to transformers' within 1e-5 in float32, for each family, in both directions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForCausalLM

from model.conftest import BOTH, CONFIGS
from olmeda.base.errors import ArtifactError, ConfigError
from olmeda.model import hf
from olmeda.model.config import ModelConfig
from olmeda.model.hf_config import to_hf
from olmeda.model.transformer import Transformer

SPECIAL = {"bos": 0, "eos": 0, "pad": 1}


def some_ids(config: ModelConfig) -> torch.Tensor:
    generator = torch.Generator().manual_seed(5)
    return torch.randint(0, config.vocab_size, (3, 40), generator=generator)


def logits(model: Transformer, ids: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return model.logits(model(ids).h_BTD)


def test_transformers_opens_ours_with_equal_logits(
    config: ModelConfig, tokenizer: Path, tmp_path: Path
) -> None:
    model = Transformer.initialised(config, 3)
    hf.save(model, tmp_path, tokenizer)
    theirs = AutoModelForCausalLM.from_pretrained(tmp_path)
    ids = some_ids(config)
    with torch.no_grad():
        wanted = theirs(ids).logits
    assert wanted.dtype == torch.float32
    assert theirs.config.eos_token_id == 0
    assert theirs.config.pad_token_id == 1
    torch.testing.assert_close(logits(model, ids), wanted, rtol=0, atol=1e-5)


def test_we_open_theirs_with_equal_logits(config: ModelConfig, tmp_path: Path) -> None:
    values = to_hf(config, SPECIAL)
    torch.manual_seed(1)
    theirs = AutoModelForCausalLM.from_config(AutoConfig.for_model(**values)).eval()
    for parameter in theirs.parameters():  # their norms begin at 1, which would hide a mix-up
        torch.nn.init.normal_(parameter, 0.3, 0.3) if parameter.ndim == 1 else None
    theirs.save_pretrained(tmp_path)
    ids = some_ids(config)
    with torch.no_grad():
        wanted = theirs(ids).logits
    opened = hf.load(tmp_path)
    assert opened.config == config.model_copy(
        update={"kv_heads": config.key_heads, "init_cutoff": 3.0}
    )
    torch.testing.assert_close(logits(opened, ids), wanted, rtol=0, atol=1e-5)


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
    config: ModelConfig, tokenizer: Path, tmp_path: Path
) -> None:
    hf.save(Transformer.initialised(config, 3), tmp_path / "ours", tokenizer)
    AutoModelForCausalLM.from_pretrained(tmp_path / "ours").save_pretrained(tmp_path / "theirs")
    ours = load_file(tmp_path / "ours" / "model.safetensors")
    theirs = load_file(tmp_path / "theirs" / "model.safetensors")
    assert {n: t.shape for n, t in ours.items()} == {n: t.shape for n, t in theirs.items()}


def test_stacked_experts_are_read_too(tokenizer: Path, tmp_path: Path) -> None:
    model = Transformer.initialised(CONFIGS["moe"], 3)
    hf.save(model, tmp_path, tokenizer)
    theirs = AutoModelForCausalLM.from_pretrained(tmp_path)
    theirs.save_pretrained(tmp_path, save_original_format=False)
    assert any("gate_up_proj" in n for n in load_file(tmp_path / "model.safetensors"))
    ids = some_ids(model.config)
    torch.testing.assert_close(logits(hf.load(tmp_path), ids), logits(model, ids))


def test_sharded_checkpoints_are_read(tokenizer: Path, tmp_path: Path) -> None:
    model = Transformer.initialised(CONFIGS["dense"], 3)
    hf.save(model, tmp_path / "whole", tokenizer)
    theirs = AutoModelForCausalLM.from_pretrained(tmp_path / "whole")
    theirs.save_pretrained(tmp_path / "parts", max_shard_size="10KB")
    assert len(list((tmp_path / "parts").glob("*.safetensors"))) > 2
    ids = some_ids(model.config)
    assert torch.equal(logits(hf.load(tmp_path / "parts"), ids), logits(model, ids))


def test_bfloat16_checkpoints_are_computed_in_float32(tokenizer: Path, tmp_path: Path) -> None:
    model = Transformer.initialised(CONFIGS["dense"], 3)
    hf.save(model, tmp_path, tokenizer)
    file = tmp_path / "model.safetensors"
    save_file({n: t.bfloat16() for n, t in load_file(file).items()}, file, {"format": "pt"})
    opened = hf.load(tmp_path)
    assert {p.dtype for p in opened.parameters()} == {torch.float32}
    ids = some_ids(model.config)
    torch.testing.assert_close(logits(opened, ids), logits(model, ids), rtol=0, atol=0.02)


def edit(folder: Path, **changes: object) -> None:
    file = folder / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_type": "olmo22"}, "no model type called 'olmo22'; did you mean 'olmo2'"),
        ({"rope_parameters": {"rope_type": "yarn", "rope_theta": 1e4}}, "rope type 'yarn'"),
        ({"hidden_act": "gelu"}, "hidden_act 'gelu' is not supported, only 'silu'"),
        ({"attention_bias": True}, "attention_bias True"),
        ({"head_dim": 16}, "head_dim 16"),
        ({"num_hidden_layers": 3}, "lacks 'model.layers.2"),
        ({"num_hidden_layers": 1}, "has a tensor 'model.layers.1.*too many"),
        (
            {"intermediate_size": 50},
            r"down_proj.weight is \[32, 48\], but .* asks for \[32, 50\]",
        ),
        ({"num_attention_heads": 5}, "no multiple of heads 5"),
    ],
)
def test_checkpoint_that_does_not_fit_is_refused(
    tokenizer: Path, tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    hf.save(Transformer.initialised(CONFIGS["dense"], 3), tmp_path, tokenizer)
    edit(tmp_path, **changes)
    with pytest.raises((ArtifactError, ConfigError), match=message):
        hf.load(tmp_path)


def test_missing_key_and_cut_file_are_named(tokenizer: Path, tmp_path: Path) -> None:
    hf.save(Transformer.initialised(CONFIGS["dense"], 3), tmp_path, tokenizer)
    weights = tmp_path / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ArtifactError, match=r"model\.safetensors"):
        hf.load(tmp_path)
    weights.write_bytes(whole)
    (tmp_path / "config.json").write_text('{"model_type": "olmo2"}')
    with pytest.raises(ArtifactError, match="has no key 'vocab_size'"):
        hf.load(tmp_path)


def test_shape_without_an_architecture_names_those_there_are(
    tokenizer: Path, tmp_path: Path
) -> None:
    config = CONFIGS["moe"].model_copy(update={"norm_place": "after"})
    with pytest.raises(ConfigError, match="olmoe: norm_place before"):
        hf.save(Transformer.initialised(config, 3), tmp_path, tokenizer)


@pytest.mark.parametrize("name", BOTH)
def test_old_place_of_rope_theta_is_read(name: str, tokenizer: Path, tmp_path: Path) -> None:
    hf.save(Transformer.initialised(CONFIGS[name], 3), tmp_path, tokenizer)
    edit(tmp_path, rope_parameters=None, rope_theta=777.0)
    assert hf.load(tmp_path).config.rope_theta == 777.0
