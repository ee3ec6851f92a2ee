from __future__ import annotations

import json
from pathlib import Path

import pytest

from olmeda.artifacts.training_log import TrainingLog
from olmeda.base.errors import ArtifactError


class Writer:
    """A run being made, as training leaves it on disk."""

    def __init__(self, out: Path) -> None:
        self.out, self.home = out, out.with_name(f".{out.name}.making")
        (self.home / "journal").mkdir(parents=True)
        self.progress = self.home / "progress.jsonl"
        self.progress.touch()

    def launch(self, step: int, until: int = 10) -> None:
        row = {"step": step, "until": until, "started": 0.0}
        with open(self.home / "journal/launches.jsonl", "a") as out:
            out.write(json.dumps(row) + "\n")

    def log(self, *steps: int, loss: float = 1.0) -> None:
        with open(self.progress, "a") as out, open(self.home / "journal/speed.jsonl", "a") as fast:
            for step in steps:
                out.write(json.dumps({"step": step, "tokens": 8 * step, "loss": loss}) + "\n")
                speed = {"step": step, "seconds": 2.0, "tokens_per_second": 4.0}
                fast.write(json.dumps(speed) + "\n")


def test_a_run_is_followed_while_it_is_made(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "run")
    writer.launch(0)
    writer.log(1, 2)
    log = TrainingLog.open(tmp_path / "run")
    assert log.points("loss") == [(1, 1.0), (2, 1.0)]
    assert not log.finished
    with open(writer.progress, "a") as out:
        out.write('{"step": 3, "tok')
    log.refresh()
    assert log.step == 2, "a line being written waits"
    with open(writer.progress, "a") as out:
        out.write('ens": 24, "loss": 0.5}\n')
    log.refresh()
    assert log.points("loss")[-1] == (3, 0.5)
    writer.log(4)
    writer.home.rename(writer.out)
    (writer.out / "lineage.json").write_text("{}")
    log.refresh()
    assert log.finished
    assert [step for step, _ in log.points("loss")] == [1, 2, 3, 4]


def test_what_is_left_is_told_from_the_present_speed(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "run")
    writer.launch(0, until=10)
    log = TrainingLog.open(tmp_path / "run")
    assert log.seconds_left is None
    writer.log(2, 4, 6)
    log.refresh()
    assert log.seconds_a_step == 1.0
    assert log.seconds_left == 4.0
    assert not log.stands_still


def test_a_run_that_went_back_is_read_anew(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "run")
    writer.launch(0)
    writer.log(1, 2)
    kept = writer.progress.stat().st_size
    writer.log(3, 4, 5, loss=9.0)
    log = TrainingLog.open(tmp_path / "run")
    with open(writer.progress, "r+b") as out:
        out.truncate(kept)
    writer.launch(2)
    writer.log(3, 4, 5, 6, 7, loss=0.25)
    log.refresh()
    assert [loss for _, loss in log.points("loss")] == [1.0, 1.0, 0.25, 0.25, 0.25, 0.25, 0.25]
    assert [row["step"] for row in log.speeds] == list(range(1, 8))
    assert len(log.launches) == 2


@pytest.mark.parametrize("cut", [3, 7])
def test_a_log_cut_while_it_is_followed_is_read_anew(tmp_path: Path, cut: int) -> None:
    writer = Writer(tmp_path / "run")
    writer.log(1, 2)
    kept = writer.progress.stat().st_size
    writer.log(3, 4, loss=9.0)
    log = TrainingLog.open(tmp_path / "run")
    with open(writer.progress, "r+b") as out:
        out.truncate(kept)
    writer.log(*range(3, 3 + cut), loss=0.125)
    log.refresh()
    assert [row["step"] for row in log.progress] == list(range(1, 3 + cut))
    assert log.progress[-1]["loss"] == 0.125


def test_what_is_no_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="no training run here"):
        TrainingLog.open(tmp_path / "nothing")
    writer = Writer(tmp_path / "run")
    writer.progress.write_text("no row\n")
    with pytest.raises(ArtifactError, match="no row"):
        TrainingLog.open(tmp_path / "run")


def test_a_step_whose_loss_was_no_number_is_no_point(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "run")
    writer.log(1)
    with open(writer.progress, "a") as out:
        out.write('{"step": 2, "tokens": 16, "loss": null}\n')
    writer.log(3)
    log = TrainingLog.open(tmp_path / "run")
    assert [step for step, _ in log.points("loss")] == [1, 3]
    assert log.step == 3
