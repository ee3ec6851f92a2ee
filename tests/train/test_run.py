from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from olmeda.artifacts import lineage
from olmeda.artifacts.checkpoint import Checkpoint, read_progress
from olmeda.artifacts.lineage import Lineage
from olmeda.base.errors import ArtifactError, ConfigError, ResourceError
from olmeda.train import run as module
from olmeda.train.batches import InstanceBatches
from olmeda.train.loop import Diverged
from olmeda.train.run import RunConfig, run
from train.conftest import MODELS, SHAPE, at_step

LOOP = {"steps": 20, "batch_tokens": 128, "micro_tokens": 64, "sequence": 32, "lr": 0.01,
        "save_every": 10, "warmup": 2}  # fmt: skip


def config(tokens: dict[str, Path], shape: str = "dense", **changes: Any) -> RunConfig:
    loop = {**LOOP, **changes.pop("loop", {})}
    values = {**tokens, "model": MODELS[shape], "loop": loop, "seed": 3,
              "probe": {"every": 8, "tokens": 200}, **changes}  # fmt: skip
    return RunConfig.model_validate(values)


def interrupt() -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("optim", ["adamw", "muon"])
@pytest.mark.parametrize("model", ["dense", "moe"])
def test_a_killed_run_goes_on_and_ends_bit_equal(
    model: str, optim: str, tokens: dict[str, Path], tmp_path: Path, monkeypatch: Any
) -> None:
    loop = {"optim": {"kind": optim}, "skip": {"window": 8, "sigmas": 0.5}}
    settings = config(tokens, model, loop=loop)
    straight = run(settings, tmp_path / "straight")
    assert any(row["skipped"] for row in read_progress(straight)[11:]), "remembered for nothing"
    with monkeypatch.context() as patch:
        patch.setattr(InstanceBatches, "at", at_step(14, interrupt))
        with pytest.raises(KeyboardInterrupt):
            run(settings, tmp_path / "killed")
    assert not (tmp_path / "killed").exists()
    held = tmp_path / ".killed.making"
    assert [p.name for p in (held / "resume").iterdir()] == ["step-00000010"]
    torch.manual_seed(99)
    killed = run(settings, tmp_path / "killed")
    for name in ("model.safetensors", "progress.jsonl"):
        assert (killed / name).read_bytes() == (straight / name).read_bytes(), name
    assert Lineage.open(killed).digest == Lineage.open(straight).digest
    assert not (killed / "resume").exists()


def test_sigterm_saves_the_step_it_came_in_and_the_run_goes_on_from_there(
    tokens: dict[str, Path], tmp_path: Path, monkeypatch: Any
) -> None:
    settings = config(tokens)
    with monkeypatch.context() as patch:
        patch.setattr(
            InstanceBatches, "at", at_step(6, lambda: os.kill(os.getpid(), signal.SIGTERM))
        )
        with pytest.raises(ResourceError, match=r"after step 7 .*again to go on"):
            run(settings, tmp_path / "stopped")
    stopped = run(settings, tmp_path / "stopped")
    assert Lineage.open(stopped).digest == Lineage.open(run(settings, tmp_path / "s")).digest


def test_progress_holds_loss_every_step_and_held_out_bits_at_start_rhythm_and_end(
    tokens: dict[str, Path], tmp_path: Path
) -> None:
    made = run(config(tokens, "moe"), tmp_path / "made")
    rows = read_progress(made)
    assert [r["step"] for r in rows] == list(range(21))
    assert [r["step"] for r in rows if "heldout/long" in r] == [0, 8, 16, 20]
    assert "loss" not in rows[0]
    assert all({"loss", "lr", "grad_norm", "balance", "router_z"} <= set(r) for r in rows[1:])
    assert rows[-1]["tokens"] == 20 * 128
    assert rows[-1]["heldout/short"] < rows[0]["heldout/short"]
    assert all(abs(sum(layer) - 1) < 1e-9 for layer in rows[-1]["load"])
    assert (made / "journal" / "speed.jsonl").is_file()
    counts = Lineage.open(made).counts
    assert counts["tokens"] == 2560
    assert counts["active_parameters"] < counts["parameters"]
    assert Checkpoint.open(made).config["vocab_size"] == 400


def test_a_run_without_held_out_tokens_measures_none(
    tokens: dict[str, Path], tmp_path: Path
) -> None:
    settings = config(tokens, heldout=None, loop={"steps": 2})
    assert all("loss" in r for r in read_progress(run(settings, tmp_path / "made"))[1:])


def test_a_loss_that_is_no_number_names_the_step_and_the_last_saved_state(
    tokens: dict[str, Path], tmp_path: Path, monkeypatch: Any
) -> None:
    made: list[torch.nn.Module] = []
    build = module.Transformer.initialised

    def kept(*given: Any) -> Any:
        made.append(build(*given))
        return made[0]

    def spoil() -> None:
        with torch.no_grad():
            next(made[0].parameters()).fill_(float("nan"))

    monkeypatch.setattr(module.Transformer, "initialised", kept)
    monkeypatch.setattr(InstanceBatches, "at", at_step(12, spoil))
    with pytest.raises(Diverged, match=r"step 13: the loss is nan.*state is of step 10"):
        run(config(tokens), tmp_path / "made")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": {**SHAPE, "vocab_size": 300}}, "say model.vocab_size=400"),
        ({"loop": {**LOOP, "sequence": 64}}, "longer than the model's context of 32"),
    ],
)
def test_a_model_that_does_not_fit_the_tokens_is_refused(
    changes: dict[str, Any], message: str, tokens: dict[str, Path], tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=message):
        run(config(tokens, **changes), tmp_path / "made")


def test_held_out_tokens_of_another_tokenizer_are_refused(
    tokens: dict[str, Path], tmp_path: Path
) -> None:
    from olmeda.tokens.encode import EncodeConfig, encode
    from olmeda.tokens.train import TrainConfig, train

    text = tokens["heldout"].parent / "heldout-text"
    other = train(TrainConfig(corpus=text, vocab_size=300), tmp_path / "tokenizer")
    heldout = encode(EncodeConfig(corpus=text, tokenizer=other), tmp_path / "heldout")
    with pytest.raises(ArtifactError, match="another tokenizer"):
        run(config(tokens, heldout=heldout), tmp_path / "made")


@pytest.mark.parametrize("given", [{}, {"steps": 3, "epochs": 1}])
def test_a_loop_has_exactly_one_length(given: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="exactly one of steps, tokens and epochs"):
        module.PretrainLoop(**given)  # type: ignore[arg-type]


def test_a_step_that_does_not_fit_says_what_to_do_and_the_run_goes_on_from_the_last_state(
    tokens: dict[str, Path], tmp_path: Path, monkeypatch: Any
) -> None:
    def too_much() -> None:
        torch.empty(1 << 60)

    settings = config(tokens, heldout=None)
    with monkeypatch.context() as patch:
        patch.setattr(InstanceBatches, "at", at_step(14, too_much))
        with pytest.raises(ResourceError, match=r"step 15: out of memory.*micro_tokens.*step 10"):
            run(settings, tmp_path / "made")
    assert len(read_progress(run(settings, tmp_path / "made"))) == 21


def test_a_kill_after_the_last_step_loses_no_state_and_the_rhythm_of_saving_is_free(
    tokens: dict[str, Path], tmp_path: Path, monkeypatch: Any
) -> None:
    straight = run(config(tokens), tmp_path / "straight")
    with monkeypatch.context() as patch:
        patch.setattr(lineage, "_lineage", lambda *given: interrupt())
        with pytest.raises(KeyboardInterrupt):
            run(config(tokens), tmp_path / "killed")
    states = tmp_path / ".killed.making" / "resume"
    assert [p.name for p in states.iterdir()] == ["step-00000020"]
    with pytest.raises(ArtifactError, match=r"unfinished run.*loop\.lr: 0\.01\)"):
        run(config(tokens, loop={"lr": 0.02}), tmp_path / "killed")
    killed = run(config(tokens, loop={"save_every": 3}), tmp_path / "killed")
    assert Lineage.open(killed).digest == Lineage.open(straight).digest
    launches = (killed / "journal" / "launches.jsonl").read_text().splitlines()
    assert '"step":20' in launches[-1], "no step was taken again"
    assert not (killed / "resume").exists()


def test_changed_ids_and_spread_experts_of_a_dense_model_are_refused(
    tokens: dict[str, Path], tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=r"parallel\.experts=2: the model has no experts"):
        run(config(tokens, parallel={"experts": 2}), tmp_path / "dense")
    changed = tmp_path / "changed"
    shutil.copytree(tokens["tokens"], changed)
    file = next((changed / "shards").iterdir())
    content = file.read_bytes()
    file.write_bytes(content[:4] + content[2:4] + content[6:])
    with pytest.raises(ArtifactError, match="changed since it was made"):
        run(config({**tokens, "tokens": changed}), tmp_path / "run")
    run(config({**tokens, "tokens": changed}, data={"verify": False}), tmp_path / "run")
