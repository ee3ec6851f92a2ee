"""Every tracker against its own package where that is installed, and against a stand-in."""

from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any

import pytest

from olmeda.base.errors import ConfigError
from olmeda.base.files import write_json
from olmeda.train.duration import Position
from olmeda.train.loop import Moment
from olmeda.train.monitors import Opening
from olmeda.train.trackers.registry import figures, sending, tracker

NAMES = ["tensorboard", "trackio", "wandb"]


def opening(tmp_path: Path, steps: int = 0) -> Opening:
    journal = tmp_path / "journal"
    journal.mkdir(exist_ok=True)
    write_json(journal / "plan.json", {"key": "k", "config": {"loop": {"lr": 0.01}}})
    return Opening("mine", journal, steps)


def moment(step: int, **measures: Any) -> Moment:
    return Moment(Position(step, 100 * step, 0.0), {"loss": 5.0 - step, **measures}, last=False)


class StandIn(types.ModuleType):
    """A package whose ``init`` gives a run that writes down what it is told."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.opened: list[dict[str, Any]] = []
        self.logged: list[tuple[int, dict[str, float]]] = []
        self.ended: list[int] = []

    def init(self, **given: Any) -> StandIn:
        self.opened.append(given)
        return self

    def log(self, shown: dict[str, float], step: int) -> None:
        if shown["loss"] < 0:
            raise OSError("the network is gone")
        self.logged.append((step, shown))

    def finish(self, exit_code: int = 0) -> None:
        self.ended.append(exit_code)


def test_measures_become_single_figures() -> None:
    measures = {
        "loss": 2,
        "grad_norms": {"a.b": 0.5},
        "saturation/first": [0.1, 0.2],
        "load": [[0.5, 0.5]],
        "word": "x",
    }
    shown = figures(measures)
    assert shown.pop("saturation/first/0") == 0.1
    assert shown.pop("saturation/first/1") == 0.2
    assert shown == {"loss": 2.0, "grad_norms/a.b": 0.5}


@pytest.mark.parametrize("name", ["wandb", "trackio"])
def test_a_run_that_goes_on_stays_the_same_run(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = StandIn(name)
    monkeypatch.setitem(sys.modules, name, package)
    for steps in (0, 4):
        with tracker.bind({"name": name, "project": "p"})(opening(tmp_path, steps)) as record:
            assert record(moment(steps + 1, mfu=0.5)) == {}
    first, second = package.opened
    assert first == second
    assert first["project"] == "p"
    assert first["config"] == {"loop": {"lr": 0.01}}
    assert package.logged == [
        (1, {"tokens": 100.0, "loss": 4.0, "mfu": 0.5}),
        (5, {"tokens": 500.0, "loss": 0.0, "mfu": 0.5}),
    ]
    assert package.ended == [0, 0]


def test_a_run_that_fails_is_marked_as_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = StandIn("wandb")
    monkeypatch.setitem(sys.modules, "wandb", package)
    with pytest.raises(ZeroDivisionError), tracker.bind("wandb")(opening(tmp_path)):
        raise ZeroDivisionError
    assert package.ended == [1]


def test_training_goes_on_where_a_dashboard_is_out_of_reach(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    package = StandIn("wandb")
    monkeypatch.setitem(sys.modules, "wandb", package)
    with tracker.bind("wandb")(opening(tmp_path)) as record:
        for step in (1, 8, 2, 9):
            record(moment(step))
    assert [step for step, _ in package.logged] == [1]
    assert capsys.readouterr().err.count("the network is gone") == 1


@pytest.mark.parametrize("name", NAMES)
def test_a_package_that_is_missing_is_named_before_training(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ConfigError, match=rf"{name}.*pip install"):
        with tracker.bind(name)(opening(tmp_path)):
            raise AssertionError("nothing was opened")


@pytest.mark.parametrize("name", ["wandb", "trackio"])
def test_a_tracker_that_refuses_to_open_is_named_before_training(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = StandIn(name)
    monkeypatch.setitem(sys.modules, name, package)

    def refuse(**given: Any) -> None:
        raise RuntimeError("no key is set")

    monkeypatch.setattr(package, "init", refuse)
    with pytest.raises(ConfigError, match=rf"{name}.*no key is set"):
        with tracker.bind(name)(opening(tmp_path)):
            raise AssertionError("nothing was opened")


def test_a_hook_adds_nothing_to_the_row() -> None:
    with sending("mine", lambda step, shown: None) as record:
        assert record(moment(1)) == {}


def test_tensorboard_holds_the_curve_and_takes_back_what_was_lost(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="tensorboard is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    for steps, upto in ((0, 6), (3, 5)):  # killed after 6, gone on after 3
        with tracker.bind("tensorboard")(opening(tmp_path, steps)) as record:
            for step in range(steps + 1, upto + 1):
                record(moment(step, load=[[0.5, 0.5]]))
    held = EventAccumulator(str(tmp_path / "journal/tensorboard"))
    held.Reload()
    assert set(held.Tags()["scalars"]) == {"loss", "tokens"}
    assert [(e.step, e.value) for e in held.Scalars("loss")] == [
        (step, 5.0 - step) for step in range(1, 6)
    ]


def test_wandb_offline_takes_our_calls(tmp_path: Path) -> None:
    pytest.importorskip("wandb", reason="wandb is not installed")
    spec = {"name": "wandb", "mode": "offline", "tags": ["t"]}
    with tracker.bind(spec)(opening(tmp_path)) as record:
        for step in (1, 2):
            record(moment(step))
    assert list((tmp_path / "journal/wandb").glob("offline-run-*/*.wandb"))


def test_trackio_holds_the_curve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("trackio", reason="trackio is not installed")
    from trackio import sqlite_storage, utils

    for module in (sqlite_storage, utils):
        monkeypatch.setattr(module, "TRACKIO_DIR", tmp_path / "trackio")
    with tracker.bind({"name": "trackio", "project": "p"})(opening(tmp_path)) as record:
        for step in (1, 2):
            record(moment(step))
    (run,) = sqlite_storage.SQLiteStorage.get_runs("p")
    rows = sqlite_storage.SQLiteStorage.get_logs("p", run)
    assert [(row["step"], row["loss"]) for row in rows] == [(1, 4.0), (2, 3.0)]
