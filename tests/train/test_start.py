from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from olmeda.artifacts.checkpoint import read_progress
from olmeda.artifacts.lineage import Lineage
from olmeda.base.errors import ArtifactError, ConfigError
from olmeda.model import hf
from olmeda.train.run import run
from olmeda.train.start import OPTIMIZER
from train.conftest import MODELS, SHAPE
from train.test_run import config

CONSTANT = {"schedule": {"kind": "constant"}, "warmup": 0, "save_every": 100}


def stage(tokens: dict[str, Path], steps: int, shape: str = "dense", **changes: Any) -> Any:
    loop = {**CONSTANT, "steps": steps, **changes.pop("loop", {})}
    return config(tokens, shape, loop=loop, heldout=None, **changes)


@pytest.mark.parametrize("optim", ["adamw", "muon"])
@pytest.mark.parametrize("shape", ["dense", "moe"])
def test_two_stages_on_the_same_batches_are_one_run_where_the_optimiser_is_kept(
    shape: str, optim: str, tokens: dict[str, Path], tmp_path: Path, monkeypatch: Any
) -> None:
    from olmeda.train.batches import InstanceBatches

    loop = {"optim": {"kind": optim}}
    whole = run(stage(tokens, 8, shape, loop=loop), tmp_path / "whole")
    first = run(stage(tokens, 4, shape, loop=loop, keep_optimizer=True), tmp_path / "first")
    plain = InstanceBatches.at
    monkeypatch.setattr(InstanceBatches, "at", lambda self, step: plain(self, step + 4))
    begin = {"start": first, "loop": loop}
    second = run(stage(tokens, 4, shape, start_optimizer=True, **begin), tmp_path / "second")
    assert (second / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()
    losses = [r["loss"] for r in read_progress(whole)[1:]]
    assert [r["loss"] for r in read_progress(second)[1:]] == losses[4:]
    fresh = run(stage(tokens, 4, shape, **begin), tmp_path / "fresh")
    assert read_progress(fresh)[1]["loss"] == losses[4]
    assert read_progress(fresh)[-1]["loss"] != losses[-1]


def test_annealing_goes_from_a_checkpoint_to_a_rate_of_nothing_and_names_it_as_an_input(
    tokens: dict[str, Path], tmp_path: Path
) -> None:
    first = run(stage(tokens, 6), tmp_path / "first")
    loop = {"schedule": {"kind": "linear"}, "lr": 0.004}
    anneal = run(stage(tokens, 4, start=first, seed=42, loop=loop), tmp_path / "anneal")
    assert [r["lr"] for r in read_progress(anneal)[1:]] == pytest.approx(
        [0.004, 0.003, 0.002, 0.001]
    )
    inputs = {i.key: i.digest for i in Lineage.open(anneal).inputs}
    assert inputs["start"] == Lineage.open(first).digest
    assert not (first / OPTIMIZER).exists()


def test_what_the_context_needs_may_change_and_what_the_weights_are_may_not(
    tokens: dict[str, Path], tmp_path: Path
) -> None:
    first = run(stage(tokens, 1), tmp_path / "first")
    longer = {**SHAPE, "sequence": 64, "rope_theta": 20000.0}
    made = run(stage(tokens, 1, start=first, model=longer), tmp_path / "longer")
    assert hf.load(made).config.sequence == 64
    for wrong, message in (
        ({**SHAPE, "norm_place": "before"}, r"model\.norm_place is before.*trained with after"),
        ({**SHAPE, "layers": 3}, r"model\.layers is 3"),
        (MODELS["moe"], r"model\.norm_place|model\.experts"),
    ):
        with pytest.raises(ConfigError, match=message):
            run(stage(tokens, 1, start=first, model=wrong), tmp_path / "wrong")


def test_the_model_is_that_of_the_checkpoint_where_none_is_described(
    tokens: dict[str, Path], tmp_path: Path
) -> None:
    first = run(stage(tokens, 1, "moe"), tmp_path / "first")
    described = run(stage(tokens, 2, "moe", start=first), tmp_path / "described")
    taken = run(stage(tokens, 2, "moe", start=first, model=None), tmp_path / "taken")
    for name in ("model.safetensors", "config.json", "progress.jsonl"):
        assert (taken / name).read_bytes() == (described / name).read_bytes()
    assert Lineage.open(taken).counts == Lineage.open(described).counts
    with pytest.raises(ValidationError, match="say what to train, or begin with a checkpoint"):
        stage(tokens, 1, model=None)


def test_a_checkpoint_of_another_tokenizer_is_refused(
    tokens: dict[str, Path], tmp_path: Path
) -> None:
    first = run(stage(tokens, 1), tmp_path / "first")
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in ("config.json", "model.safetensors"):
        (copy / file).write_bytes((first / file).read_bytes())
    (copy / "tokenizer.json").write_text("{}")
    with pytest.raises(ArtifactError, match="another tokenizer"):
        run(stage(tokens, 1, start=copy), tmp_path / "wrong")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"start_optimizer": True}, "there is no checkpoint to take it from"),
        ({"start": "plain", "start_optimizer": True}, "train it with keep_optimizer=true"),
        ({"start": "kept", "start_optimizer": True, "loop": {"optim": {"kind": "muon"}}},
         "is of other optimisers"),
    ],
)  # fmt: skip
def test_an_optimiser_that_is_not_there_or_another_one_is_refused(
    changes: dict[str, Any], message: str, tokens: dict[str, Path], tmp_path: Path
) -> None:
    if "start" in changes:
        keeps = changes["start"] == "kept"
        made = run(stage(tokens, 1, keep_optimizer=keeps), tmp_path / "first")
        assert (made / OPTIMIZER).is_file() == keeps
        changes = {**changes, "start": made}
    with pytest.raises((ArtifactError, ConfigError), match=message):
        run(stage(tokens, 1, **changes), tmp_path / "second")


def test_muons_state_does_not_fit_adamw(tokens: dict[str, Path], tmp_path: Path) -> None:
    first = run(
        stage(tokens, 1, keep_optimizer=True, loop={"optim": {"kind": "muon"}}), tmp_path / "first"
    )
    with pytest.raises(ArtifactError, match="is of other optimisers"):
        run(stage(tokens, 1, start=first, start_optimizer=True), tmp_path / "second")
