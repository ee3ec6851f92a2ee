"""evals.run on real tiny checkpoints: rows, files, sweeps, going on after an interruption."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import olmeda.evals.run as run_module
from evals.conftest import World
from olmeda.artifacts.examples import Output
from olmeda.artifacts.lineage import Lineage
from olmeda.artifacts.scores import Scores
from olmeda.base.errors import ArtifactError, ConfigError, InputError
from olmeda.base.files import read_json, read_rows
from olmeda.evals.answers import Answers
from olmeda.evals.run import RunConfig, run


def config(world: World, **changes: Any) -> RunConfig:
    systems = {"one": world.model("one", 1, init_std=1), "two": world.model("two", 2)}
    values = {"systems": systems, "instances": world.instances, "per_family": 3, "threads": 1}
    return RunConfig(**{**values, **changes})


def test_every_system_answers_every_item_and_the_sweep_too(world: World, tmp_path: Path) -> None:
    sweep = world.sweep("sweep", {"skill-0.50": 4, "skill-1.00": 5})
    run(config(world, sweeps=[sweep], splits=["validation", "test"]), tmp_path / "out")
    frame = Scores.open(tmp_path / "out").frame
    systems = {"one", "two", "skill-0.50", "skill-1.00"}
    assert set(frame["system"]) == {*systems, "Human"}
    items = {s: set(map(tuple, frame.filter(frame["system"] == s).select("task", "item").rows()))
             for s in systems}  # fmt: skip
    assert len(set(map(frozenset, items.values()))) == 1
    assert {task for task, _ in items["one"]} == {
        f"{split}/{family}"
        for split in ("validation", "test")
        for family in ("classification", "naming", "extraction", "generation")
    }
    outputs = list(read_rows(tmp_path / "out" / "outputs.jsonl", Output))
    written = [o for o in outputs if o.task == "test/generation"]
    assert {o.system for o in written} == {*systems, "Human"}
    summary = read_json(tmp_path / "out" / "summary.json")
    cell = summary["one"]["test/generation"]["quality"]
    assert cell["low"] <= cell["value"] <= cell["high"]
    assert cell["n"] == 3
    assert Lineage.open(tmp_path / "out").counts["systems"] == 4


def test_an_interrupted_run_keeps_the_systems_that_are_done(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    real = run_module.answer

    def answer(system: str, *rest: Any) -> Answers:
        asked.append(system)
        if asked == ["one", "two"]:
            raise KeyboardInterrupt
        return real(system, *rest)

    monkeypatch.setattr(run_module, "answer", answer)
    with pytest.raises(KeyboardInterrupt):
        run(config(world), tmp_path / "out")
    assert not (tmp_path / "out").exists()
    run(config(world), tmp_path / "out")
    assert asked == ["one", "two", "two"]
    run(config(world), tmp_path / "whole")
    assert Lineage.open(tmp_path / "out").digest == Lineage.open(tmp_path / "whole").digest


def test_wrong_names_are_config_errors(world: World, tmp_path: Path) -> None:
    for changes, message in (
        ({"splits": ["tests"]}, "did you mean 'test'"),
        ({"families": ["nameing"]}, "did you mean 'naming'"),
        ({"systems": {}}, "name at least one system"),
        ({"systems": {"Human": world.model("two", 2)}}, "is the name of what people wrote"),
        ({"sweeps": [world.sweep("twice", {"one": 1})]}, "two systems are called 'one'"),
    ):
        with pytest.raises(ConfigError, match=message):
            run(config(world, **changes), tmp_path / "out")


def test_wrong_artifacts_are_named(world: World, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="examples, found"):
        run(config(world, instances=world.corpus), tmp_path / "out")
    with pytest.raises(ArtifactError, match="sweep, found"):
        run(config(world, sweeps=[world.corpus]), tmp_path / "out")


def test_asking_nothing_is_an_input_error(world: World, tmp_path: Path) -> None:
    from olmeda.evals.run import questions

    with pytest.raises(InputError, match="no instance in the splits"):
        questions(world.instances, [], None, 3)
