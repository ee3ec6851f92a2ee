"""Files of a checkpoint: shards, types, our own layout, memory while loading, what is refused."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from model.conftest import CONFIGS, OWN
from model.test_hf import drawn, logits, some_ids
from olmeda.base.errors import ArtifactError, ConfigError, ResourceError
from olmeda.model import hf
from olmeda.model.config import ModelConfig, load_preset
from olmeda.model.hf_names import parts
from olmeda.model.transformer import Transformer


def test_every_parameter_is_on_disk_once_and_whole(config: ModelConfig) -> None:
    with torch.device("meta"):
        model = Transformer(config)
    for stacked in (False, True):
        covered = dict.fromkeys(model.state_dict(), 0)
        for part in parts(config, stacked=stacked):
            covered[part.parameter] += part.of(model.state_dict()[part.parameter]).numel()
        assert covered == {name: t.numel() for name, t in model.state_dict().items()}


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


@pytest.mark.parametrize("name", ["dense", "moe", "tied"])
def test_transformers_opens_our_shards(name: str, tokenizer: Path, tmp_path: Path) -> None:
    model = Transformer.initialised(CONFIGS[name], 3)
    hf.save(model, tmp_path, tokenizer, shard_bytes=20_000)
    files = sorted(tmp_path.glob("*.safetensors"))
    assert len(files) > 2
    assert files[0].name == f"model-00001-of-{len(files):05d}.safetensors"
    assert all(f.stat().st_size < 25_000 for f in files)
    ids = some_ids(model.config)
    theirs = AutoModelForCausalLM.from_pretrained(tmp_path)
    torch.testing.assert_close(theirs(ids).logits.detach(), logits(model, ids), rtol=0, atol=1e-5)
    assert torch.equal(logits(hf.load(tmp_path), ids), logits(model, ids))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_other_types_are_computed_in_float32(
    dtype: torch.dtype, tokenizer: Path, tmp_path: Path
) -> None:
    model = Transformer.initialised(CONFIGS["dense"], 3)
    hf.save(model, tmp_path, tokenizer)
    file = tmp_path / "model.safetensors"
    save_file({n: t.to(dtype) for n, t in load_file(file).items()}, file, {"format": "pt"})
    opened = hf.load(tmp_path)
    for one, other in zip(opened.parameters(), model.parameters(), strict=True):
        assert torch.equal(one, other.to(dtype).float())


def test_bfloat16_is_saved_rounded_and_loaded_as_it_is(tokenizer: Path, tmp_path: Path) -> None:
    model = Transformer.initialised(CONFIGS["moe"], 3)
    hf.save(model, tmp_path, tokenizer, dtype="bfloat16")
    opened = hf.load(tmp_path, dtype=torch.bfloat16)
    for one, other in zip(opened.parameters(), model.parameters(), strict=True):
        assert torch.equal(one, other.bfloat16())
    theirs = AutoModelForCausalLM.from_pretrained(tmp_path)
    assert theirs.dtype == torch.bfloat16


def test_spread_parameters_are_made_whole_one_by_one(tokenizer: Path, tmp_path: Path) -> None:
    model = Transformer.initialised(CONFIGS["moe"], 3)
    sizes: list[int] = []

    def whole(tensor: torch.Tensor) -> torch.Tensor:
        sizes.append(tensor.numel())
        return tensor * 2

    hf.save(model, tmp_path / "nothing", tokenizer, whole=whole, writes=False)
    assert not (tmp_path / "nothing").exists()
    assert sorted(sizes) == sorted(p.numel() for p in model.parameters())
    hf.save(model, tmp_path / "doubled", tokenizer, whole=whole)
    assert torch.equal(hf.load(tmp_path / "doubled").embed, model.embed * 2)
    tripled = {name: tensor * 3 for name, tensor in model.state_dict().items()}
    hf.save(model, tmp_path / "tripled", tokenizer, state=tripled)
    assert torch.equal(
        hf.load(tmp_path / "tripled").blocks[1].mlp.down, tripled["blocks.1.mlp.down"]
    )


def test_whole_numbers_are_no_weights(tokenizer: Path, tmp_path: Path) -> None:
    hf.save(Transformer.initialised(CONFIGS["dense"], 3), tmp_path, tokenizer)
    file = tmp_path / "model.safetensors"
    save_file({n: t.to(torch.int8) for n, t in load_file(file).items()}, file, {"format": "pt"})
    with pytest.raises(ArtifactError, match=r"is I8; weights may be F64, F32, F16, BF16"):
        hf.load(tmp_path)


@pytest.mark.parametrize("name", OWN)
def test_own_layout_keeps_everything_and_says_so(
    name: str, tokenizer: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = OWN[name].model_copy(update={"z_weight": 1e-5, "init": "fan_in", "zero_out": True})
    model = Transformer(config)
    drawn(model)
    for buffer in (b for n, b in model.named_buffers() if n.endswith("bias_E")):
        buffer.copy_(torch.arange(len(buffer)) / 10)
    hf.save(model, tmp_path, tokenizer)
    assert "saved as model_type olmeda, which transformers cannot open" in capsys.readouterr().err
    opened = hf.load(tmp_path)
    assert opened.config == config
    ids = some_ids(config)
    assert torch.equal(logits(opened, ids), logits(model, ids))
    for key, value in model.state_dict().items():
        assert torch.equal(opened.state_dict()[key], value), key


def test_what_only_training_needs_survives_in_a_layout_of_transformers(
    tokenizer: Path, tmp_path: Path
) -> None:
    options = {"z_weight": 1e-5, "init": "llama_depth", "zero_out": True, "init_cutoff": 2.0}
    config = load_preset(
        "tour-moe", layers=1, experts={"balance_over": "sequence"}, kv_heads=4, **options
    )
    hf.save(Transformer.initialised(config, 1), tmp_path, tokenizer)
    assert AutoModelForCausalLM.from_pretrained(tmp_path).config.model_type == "olmoe"
    assert hf.load(tmp_path).config == config


MEASURE = """
import re, sys
from pathlib import Path
from olmeda.model import hf
def kilobytes(name):
    return int(re.search(name + r":\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
hf.load(Path(sys.argv[2]))  # what torch imports on first use
before = kilobytes("VmRSS")
model = hf.load(Path(sys.argv[1]))
print((kilobytes("VmHWM") - before) * 1024 / sum(p.nbytes for p in model.parameters()))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_loading_takes_the_memory_of_the_parameters_alone(
    dtype: str, tokenizer: Path, tmp_path: Path
) -> None:
    config = load_preset("tour-dense", width=512, mlp_width=2048, vocab_size=32768)  # 200 MB
    model = Transformer(config)
    with torch.no_grad():
        for weight in model.parameters():
            weight.fill_(1.0)
    hf.save(model, tmp_path / "large", tokenizer, dtype=dtype)  # type: ignore[arg-type]
    hf.save(Transformer.initialised(CONFIGS["dense"], 0), tmp_path / "small", tokenizer)
    del model
    command = [sys.executable, "-c", MEASURE, tmp_path / "large", tmp_path / "small"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert float(done.stdout) < 1.1


def edit(folder: Path, **changes: object) -> None:
    file = folder / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_type": "olmo22"}, "no model type called 'olmo22'; did you mean 'olmo2'"),
        ({"model_type": "olmeda"}, "has no key 'olmeda'"),
        ({"rope_parameters": {"rope_type": "yarn", "rope_theta": 1e4}}, "'yarn' lacks 'factor'"),
        ({"hidden_act": "gelu"}, "hidden_act 'gelu' is not supported, only 'silu'"),
        ({"attention_bias": True}, "attention_bias True"),
        ({"head_dim": 16}, r"q_proj.weight is \[32, 32\], but .* asks for \[64, 32\]"),
        ({"num_hidden_layers": 3}, "lacks 'model.layers.2"),
        ({"num_hidden_layers": 1}, "has a tensor 'model.layers.1.*too many"),
        ({"tie_word_embeddings": True, "num_hidden_layers": 3}, "lacks"),
        (
            {"intermediate_size": 50},
            r"_proj.weight is \[48, 32\], but .* asks for \[50, 32\]",
        ),
        ({"num_attention_heads": 5}, "no multiple of heads 5"),
        ({"olmeda": {"z_waight": 1.0}}, "did you mean 'z_weight'"),
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


def test_weights_in_pickle_are_not_opened(tokenizer: Path, tmp_path: Path) -> None:
    hf.save(Transformer.initialised(CONFIGS["dense"], 3), tmp_path, tokenizer)
    (tmp_path / "model.safetensors").rename(tmp_path / "pytorch_model.bin")
    with pytest.raises(ArtifactError, match=r"pytorch_model\.bin: weights in pickle"):
        hf.load(tmp_path)


def test_want_of_memory_says_how_much(
    tokenizer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hf.save(Transformer.initialised(CONFIGS["dense"], 3), tmp_path, tokenizer)

    def full(self: Transformer, *, device: object) -> Transformer:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(Transformer, "to_empty", full)
    with pytest.raises(
        ResourceError, match=r"no memory for 9.5\de-05 GB of parameters in torch.flo"
    ):
        hf.load(tmp_path)


def test_head_of_a_tied_model_may_be_there_too(tokenizer: Path, tmp_path: Path) -> None:
    model = Transformer.initialised(CONFIGS["tied"], 3)
    hf.save(model, tmp_path, tokenizer)
    file = tmp_path / "model.safetensors"
    held = load_file(file)
    save_file({**held, "lm_head.weight": held["model.embed_tokens.weight"] + 0}, file)
    ids = some_ids(model.config)
    assert torch.equal(logits(hf.load(tmp_path), ids), logits(model, ids))


def test_missing_shard_is_named(tokenizer: Path, tmp_path: Path) -> None:
    hf.save(Transformer.initialised(CONFIGS["dense"], 3), tmp_path, tokenizer, shard_bytes=20_000)
    next(iter(sorted(tmp_path.glob("*-00002-of-*")))).unlink()
    with pytest.raises(ArtifactError, match=r"00002-of-.*no such file; the checkpoint is incompl"):
        hf.load(tmp_path)
