from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
import transformers

from olmeda.artifacts.scores import Scores
from olmeda.base.errors import ArtifactError
from olmeda.base.files import read_json, write_json
from olmeda.routing.analyse import AnalyseConfig, analyse
from olmeda.routing.foreign import open_foreign
from olmeda.tokens.encode import EncodeConfig, encode
from olmeda.tokens.train import TrainConfig, train
from train.conftest import split, write_corpus

SHAPE = {
    "vocab_size": 400, "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 3,
    "num_attention_heads": 2, "num_key_value_heads": 2, "max_position_embeddings": 64,
    "num_experts_per_tok": 2,
}  # fmt: skip
FAMILIES = {
    "mixtral": transformers.MixtralConfig(**SHAPE, num_local_experts=4),
    "qwen2_moe": transformers.Qwen2MoeConfig(
        **SHAPE, num_experts=4, moe_intermediate_size=8, shared_expert_intermediate_size=8,
        decoder_sparse_step=2,
    ),
    "qwen3_moe": transformers.Qwen3MoeConfig(
        **SHAPE, num_experts=4, moe_intermediate_size=8, mlp_only_layers=[1]
    ),
}  # fmt: skip
LAYERS = {"mixtral": [0, 1, 2], "qwen2_moe": [1], "qwen3_moe": [0, 2]}


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("foreign")
    corpus = write_corpus(folder / "text", split(0))
    tokenizer = train(TrainConfig(corpus=corpus, vocab_size=400), folder / "tokenizer")
    return encode(EncodeConfig(corpus=corpus, tokenizer=tokenizer), folder / "tokens")


def checkpoint(kind: str, tokens: Path, folder: Path) -> Path:
    torch.manual_seed(3)
    model = transformers.AutoModelForCausalLM.from_config(FAMILIES[kind])
    model.save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).write_bytes((tokens / "tokenizer" / name).read_bytes())
    return folder


@pytest.mark.parametrize("kind", FAMILIES)
def test_a_mixture_that_only_transformers_runs_is_analysed(
    kind: str, tokens: Path, tmp_path: Path
) -> None:
    held = checkpoint(kind, tokens, tmp_path / kind)
    settings = AnalyseConfig(checkpoint=held, tokens=tokens, max_tokens=1500, rounds=20)
    frame = Scores.open(analyse(settings, tmp_path / "out")).frame
    tasks = sorted(frame["task"].unique())
    assert tasks == [f"routing/layer-{n}" for n in LAYERS[kind]]
    load = frame.filter(pl.col("scorer") == "load")
    assert load.group_by("task").agg(pl.col("value").sum())["value"].to_list() == pytest.approx(
        [1.0] * len(tasks)
    )


def test_choices_are_those_that_the_model_itself_makes(tokens: Path, tmp_path: Path) -> None:
    held = checkpoint("mixtral", tokens, tmp_path / "mixtral")
    model = transformers.AutoModelForCausalLM.from_pretrained(held).eval()
    made: list[torch.Tensor] = []
    for layer in model.model.layers:
        layer.mlp.gate.register_forward_hook(lambda m, given, out: made.append(out[2]))
    ids_BT = torch.arange(40).view(2, 20)
    with torch.no_grad():
        model(input_ids=ids_BT)
        router = open_foreign(held, read_json(held / "config.json"))
        chosen_NLK, _ = router.read(ids_BT)
    for layer, indices_NK in enumerate(made):
        assert np.array_equal(chosen_NLK[:, layer].sort(-1).values, indices_NK.sort(-1).values)


def test_a_family_whose_choice_is_not_in_its_logits_is_refused(tmp_path: Path) -> None:
    write_json(tmp_path / "config.json", {"model_type": "deepseek_v3"})
    with pytest.raises(ArtifactError, match="mixtral"):
        open_foreign(tmp_path, read_json(tmp_path / "config.json"))
