from __future__ import annotations

import errno
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from olmeda.artifacts.checkpoint import read_progress
from olmeda.artifacts.lineage import Lineage, check
from olmeda.artifacts.trace import trace
from olmeda.base.errors import ArtifactError, ResourceError
from olmeda.model import hf
from olmeda.train import run as module
from olmeda.train import saving
from olmeda.train.batches import InstanceBatches
from olmeda.train.checkpoints import kept_folder
from olmeda.train.loop import Diverged
from olmeda.train.run import RunConfig, run
from train.conftest import MODELS, at_step


def config(tokens: dict[str, Path], **changes: Any) -> RunConfig:
    loop = {"steps": 20, "batch_tokens": 128, "micro_tokens": 64, "sequence": 32, "lr": 0.01,
            "save_every": 5, "warmup": 2, **changes.pop("loop", {})}  # fmt: skip
    values = {"tokens": tokens["tokens"], "model": MODELS["dense"], "loop": loop, "seed": 3}
    return RunConfig.model_validate({**values, **changes})


@pytest.fixture
def spoil(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Spoils the weights of the model being trained when called."""
    made: list[torch.nn.Module] = []
    build = module.Transformer.initialised

    def kept(*given: Any) -> Any:
        made.append(build(*given))
        return made[-1]

    def do() -> None:
        with torch.no_grad():
            next(made[-1].parameters()).fill_(float("nan"))

    monkeypatch.setattr(module.Transformer, "initialised", kept)
    return do


def test_kept_checkpoints_are_artifacts_and_the_run_is_the_same_without_them(
    tokens: dict[str, Path], tmp_path: Path
) -> None:
    plain = run(config(tokens), tmp_path / "plain")
    made = run(config(tokens, checkpoints={"keep_every": 10}), tmp_path / "made")
    assert Lineage.open(made).digest == Lineage.open(plain).digest
    assert Lineage.open(made).key == Lineage.open(plain).key
    kept = sorted(kept_folder(made).iterdir())
    assert [p.name for p in kept] == ["step-00000010", "step-00000020"]
    record = check(kept[0], "checkpoint", contents=True)
    assert record.counts == {"steps": 10, "tokens": 1280}
    assert record.key != Lineage.open(made).key
    assert any("tokens.encode" in line for line in trace(kept[0]))
    assert [r["step"] for r in read_progress(kept[0])] == list(range(11))
    last = (kept[1] / "model.safetensors").read_bytes()
    assert last == (made / "model.safetensors").read_bytes()
    hf.load(kept[0])


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_kept_checkpoints_of_other_settings_are_in_the_way_unless_they_may_be_replaced(
    tokens: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keep = {"keep_every": 5}
    made = run(config(tokens, checkpoints=keep), tmp_path / "made")
    kept = kept_folder(made)
    (kept / "notes.txt").touch()
    of_first = Lineage.open(kept / "step-00000010").digest
    shutil.rmtree(made)
    other = config(tokens, checkpoints={"keep_every": 10}, seed=4)
    message = r"other settings or inputs kept \(step-00000005, step-00000010, step-00000015, …\).*"
    with pytest.raises(ArtifactError, match=message + "say --replace"):
        run(other, tmp_path / "made")
    assert Lineage.open(kept / "step-00000010").digest == of_first
    assert "removed" not in capsys.readouterr().err
    run(other, tmp_path / "made", replace=True)
    assert names(kept) == ["notes.txt", "step-00000010", "step-00000020"]
    assert Lineage.open(kept / "step-00000010").digest != of_first
    assert "removed what a run of other settings or inputs kept" in capsys.readouterr().err
    run(config(tokens, seed=5), tmp_path / "made", replace=True)
    assert names(kept) == ["notes.txt"], "also where the new run keeps none"


def test_a_kept_checkpoint_that_the_run_begins_with_is_not_removed(
    tokens: dict[str, Path], tmp_path: Path
) -> None:
    made = run(config(tokens, checkpoints={"keep_every": 10}), tmp_path / "made")
    first = kept_folder(made) / "step-00000010"
    with pytest.raises(ArtifactError, match=r"is an input of this run"):
        run(config(tokens, start=first), tmp_path / "made", replace=True)
    hf.load(first)
    run(config(tokens, start=first), tmp_path / "other")


def test_kept_checkpoints_of_the_same_run_stay_where_they_are_kept_at_other_steps(
    tokens: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as stopped:
        stopped.setattr(InstanceBatches, "at", at_step(12, interrupt))
        with pytest.raises(KeyboardInterrupt):
            run(config(tokens, checkpoints={"keep_every": 5}), tmp_path / "made")
    made = run(config(tokens, checkpoints={"keep_every": 20}), tmp_path / "made")
    assert names(kept_folder(made)) == [f"step-{n:08d}" for n in (5, 10, 20)]


def test_a_loss_that_is_no_number_goes_back_and_passes_over_the_batches_that_led_there(
    tokens: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spoil: Any
) -> None:
    monkeypatch.setattr(InstanceBatches, "at", at_step(12, spoil))
    made = run(config(tokens, checkpoints={"go_back": 1}), tmp_path / "made")
    rows = read_progress(made)
    assert [r["step"] for r in rows] == [*range(11), *range(13, 21)]
    assert rows[11] == {"step": 13, "tokens": 1280, "went_back_to": 10}
    assert rows[-1]["tokens"] == 1280 + 7 * 128
    assert rows[-1]["loss"] < rows[1]["loss"]


def test_a_bad_last_step_ends_with_what_is_due_at_the_end(
    tokens: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spoil: Any
) -> None:
    monkeypatch.setattr(InstanceBatches, "at", at_step(19, spoil))
    kept = {"go_back": 1, "keep_every": 20}
    settings = config(tokens, heldout=tokens["heldout"], checkpoints=kept)
    made = run(settings, tmp_path / "made")
    rows = read_progress(made)
    assert [r["step"] for r in rows] == [*range(16), 20]
    assert rows[-1]["went_back_to"] == 15
    assert rows[-1]["tokens"] == 15 * 128
    measured = set(rows[0]) - {"step", "tokens"}
    assert measured
    assert measured < set(rows[-1]), "the held-out text is measured at the end"
    assert names(kept_folder(made)) == ["step-00000020"]


def test_a_run_goes_back_only_so_often(
    tokens: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spoil: Any
) -> None:
    plain = InstanceBatches.at

    def at(self: InstanceBatches, number: int) -> Any:
        if number >= 12:
            spoil()
        return plain(self, number)

    monkeypatch.setattr(InstanceBatches, "at", at)
    settings = config(tokens, checkpoints={"go_back": 3, "keep_last": 2})
    with pytest.raises(Diverged, match=r"step 16: .*state is of step 5 "):
        run(settings, tmp_path / "made")
    monkeypatch.setattr(InstanceBatches, "at", plain)
    rows = read_progress(run(settings, tmp_path / "made"))
    assert [r["step"] for r in rows] == list(range(21))  # what was spoiled left no trace


def test_a_killed_run_goes_back_to_the_same_end(
    tokens: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spoil: Any
) -> None:
    settings = config(tokens, checkpoints={"go_back": 1})
    monkeypatch.setattr(InstanceBatches, "at", at_step(12, spoil))
    straight = run(settings, tmp_path / "straight")

    def interrupt() -> None:
        raise KeyboardInterrupt

    spoiling = InstanceBatches.at
    for moment in (14, 18):
        monkeypatch.setattr(InstanceBatches, "at", at_step(moment, interrupt))
        with pytest.raises(KeyboardInterrupt):
            run(settings, tmp_path / "killed")
        monkeypatch.setattr(InstanceBatches, "at", spoiling)
    killed = run(settings, tmp_path / "killed")
    assert Lineage.open(killed).digest == Lineage.open(straight).digest


@pytest.mark.parametrize("asynchronous", [True, False])
def test_a_full_disk_while_saving_ends_the_run_and_the_state_before_goes_on(
    asynchronous: bool, tokens: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = config(tokens, checkpoints={"asynchronous": asynchronous})
    straight = run(settings, tmp_path / "straight")
    plain = saving.save_file

    def refuse(tensors: dict[str, Any], path: Path) -> None:
        plain(tensors, path)
        if "step-00000010" in str(path):
            raise OSError(errno.ENOSPC, "No space left on device", str(path))

    with monkeypatch.context() as full:
        full.setattr(saving, "save_file", refuse)
        message = r"no space left on the disk.*last saved state is of step 5 .*same command again"
        with pytest.raises(ResourceError, match=message):
            run(settings, tmp_path / "full")
    again = run(settings, tmp_path / "full")
    assert Lineage.open(again).digest == Lineage.open(straight).digest
