from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from olmeda.artifacts.scores import Scores
from olmeda.artifacts.tokenset import TokenSet
from olmeda.base.errors import ArtifactError, ConfigError
from olmeda.model import hf
from olmeda.routing.analyse import AnalyseConfig, analyse
from olmeda.routing.routes import collect, router_of
from olmeda.tokens.encode import EncodeConfig, encode
from olmeda.tokens.train import TrainConfig, train
from olmeda.train.run import RunConfig, run
from train.conftest import MODELS, split, write_corpus


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A token set of two sources, and a dense model and two mixtures after a few steps."""
    folder = tmp_path_factory.mktemp("routing")
    corpus = write_corpus(folder / "text", split(0))
    tokenizer = train(TrainConfig(corpus=corpus, vocab_size=400), folder / "tokenizer")
    tokens = encode(EncodeConfig(corpus=corpus, tokenizer=tokenizer), folder / "tokens")
    made = {"tokens": tokens, "corpus": corpus}
    for name, shape, steps in (("dense", "dense", 1), ("early", "moe", 2), ("moe", "moe", 12)):
        loop = {"steps": steps, "batch_tokens": 128, "sequence": 32, "lr": 0.01}
        values = {"tokens": tokens, "model": MODELS[shape], "loop": loop}
        made[name] = run(RunConfig.model_validate(values), folder / name)
    return made


def test_routes_hold_every_token_once_with_its_document(world: dict[str, Path]) -> None:
    tokens = TokenSet.open(world["tokens"])
    routes = collect(router_of(hf.load(world["moe"])), tokens, 32, 10**9)
    assert len(routes.ids_N) == tokens.tokens
    assert routes.chosen_NLK.shape == (tokens.tokens, 2, 2)
    assert routes.document_N.max() + 1 == len(tokens.documents)
    sizes = np.bincount(routes.document_N)
    lengths = (tokens.documents["end"] - tokens.documents["start"]).to_list()
    assert sorted(sizes.tolist()) == sorted(lengths)
    same_document = np.flatnonzero(routes.document_N[:-1] == routes.document_N[1:])
    assert (routes.next_N[same_document] == routes.ids_N[same_document + 1]).all()
    assert routes.predicted_N.min() >= 0


def test_analysis_of_a_mixture_has_every_measure_of_every_layer(
    world: dict[str, Path], tmp_path: Path
) -> None:
    settings = AnalyseConfig(
        checkpoint=world["moe"], tokens=world["tokens"], earlier={"early": world["early"]},
        max_tokens=4000, rounds=50,
    )  # fmt: skip
    out = analyse(settings, tmp_path / "out")
    frame = Scores.open(out).frame
    assert frame["system"].unique().to_list() == ["moe"]
    assert frame["rater"].unique().to_list() == ["model:router"]
    assert sorted(frame["task"].unique()) == ["routing/layer-0", "routing/layer-1"]
    layer = frame.filter(pl.col("task") == "routing/layer-1")
    counted = dict(layer["scorer"].value_counts().iter_rows())
    assert counted["load"] == 4
    assert counted["coactivation"] == counted["coactivation_low"] == 12
    assert counted["domain_share"] == 8
    assert counted["saturation"] == counted["saturation_chance"] == counted["saturation_top1"] == 1
    assert counted["vocabulary_next_top1"] == counted["vocabulary_predicted_high"] == 1
    assert "path" not in counted
    first = dict(frame.filter(pl.col("task") == "routing/layer-0")["scorer"].value_counts().rows())
    assert first["path"] == first["path_low"] == 16
    assert first["path_bits"] == first["path_bits_high"] == 1
    load = layer.filter(pl.col("scorer") == "load")["value"]
    assert load.sum() == pytest.approx(1)
    summary = json.loads((out / "routing.json").read_text())
    assert summary["chance"]["load"] == 0.25
    assert len(summary["layers"]) == 2
    for cell in summary["layers"][0]["load"]:
        assert cell["low"] <= cell["share"] <= cell["high"]
    assert set(summary["layers"][0]["domains"]) == {"long", "short"}
    values = {(r["task"], r["item"], r["scorer"]): r["value"] for r in frame.iter_rows(named=True)}
    for (task, item, scorer), low in values.items():
        if scorer.endswith("_low"):
            name = scorer.removesuffix("_low")
            assert low <= values[task, item, name] + 1e-9, (task, item, scorer)
            assert values[task, item, name] <= values[task, item, f"{name}_high"] + 1e-9


def test_two_analyses_are_equal(world: dict[str, Path], tmp_path: Path) -> None:
    settings = AnalyseConfig(checkpoint=world["moe"], tokens=world["tokens"], max_tokens=2000)
    one, two = (analyse(settings, tmp_path / name) for name in ("one", "two"))
    for name in ("scores.parquet", "routing.json"):
        assert (one / name).read_bytes() == (two / name).read_bytes()


def test_a_dense_model_is_refused(world: dict[str, Path], tmp_path: Path) -> None:
    settings = AnalyseConfig(checkpoint=world["dense"], tokens=world["tokens"])
    with pytest.raises(ConfigError, match="no experts"):
        analyse(settings, tmp_path / "out")


def test_tokens_of_another_tokenizer_are_refused(world: dict[str, Path], tmp_path: Path) -> None:
    other = train(TrainConfig(corpus=world["corpus"], vocab_size=300), tmp_path / "tokenizer")
    tokens = encode(EncodeConfig(corpus=world["corpus"], tokenizer=other), tmp_path / "tokens")
    with pytest.raises(ArtifactError, match="another tokenizer"):
        analyse(AnalyseConfig(checkpoint=world["moe"], tokens=tokens), tmp_path / "out")


def test_paths_between_named_layers_are_told_and_unknown_layers_refused(
    world: dict[str, Path], tmp_path: Path
) -> None:
    asked = {"checkpoint": world["moe"], "tokens": world["tokens"], "max_tokens": 1500, "rounds": 9}
    settings = AnalyseConfig.model_validate({**asked, "paths": [[1, 0]]})
    frame = Scores.open(analyse(settings, tmp_path / "out")).frame
    bits = frame.filter(pl.col("scorer") == "path_bits")
    assert bits.select("task", "item").rows() == [("routing/layer-1", "*>0")]
    with pytest.raises(ConfigError, match="layer 7 has no experts; layers with experts: 0, 1"):
        analyse(AnalyseConfig.model_validate({**asked, "paths": [[0, 7]]}), tmp_path / "other")


def test_an_earlier_checkpoint_of_another_mixture_is_refused(
    world: dict[str, Path], tmp_path: Path
) -> None:
    model = {**MODELS["moe"], "experts": {"count": 8, "chosen": 2}}
    loop = {"steps": 1, "batch_tokens": 128, "sequence": 32}
    values = {"tokens": world["tokens"], "model": model, "loop": loop}
    other = run(RunConfig.model_validate(values), tmp_path / "other")
    settings = AnalyseConfig(
        checkpoint=world["moe"], tokens=world["tokens"], earlier={"other": other}, max_tokens=500
    )
    with pytest.raises(ArtifactError, match="other experts"):
        analyse(settings, tmp_path / "out")
