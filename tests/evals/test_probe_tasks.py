"""Task instances as a probe say what ``evals.run`` says of the same model."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from evals.conftest import SHAPE, World
from olmeda.artifacts.checkpoint import read_progress
from olmeda.artifacts.scores import Scores
from olmeda.base.errors import ConfigError
from olmeda.evals.run import RunConfig, run
from olmeda.model import hf
from olmeda.model.probe import probe
from olmeda.train import run as train_run


def test_a_probe_gives_the_means_that_evals_run_gives(world: World, tmp_path: Path) -> None:
    ask = {"name": "tasks", "instances": world.instances, "split": "test", "per_family": 3}
    folder = world.model("one", 1, init_std=1)
    found = probe.bind(ask)(folder)(hf.load(folder))
    asked = RunConfig(systems={"base": folder}, instances=world.instances, per_family=3)
    rows = Scores.open(run(asked, tmp_path / "answers")).frame
    rows = rows.filter(pl.col("system") == "base")
    means = rows.group_by("task", "scorer").agg(pl.col("value").mean())
    expected = {f"tasks/{task}/{scorer}": value for task, scorer, value in means.rows()}
    assert found == pytest.approx(expected)
    assert any(name.endswith("gold_bits_per_byte_cost") for name in found)


def test_an_unknown_split_or_parameter_is_refused_before_training(world: World) -> None:
    with pytest.raises(ConfigError, match="splits"):
        ask = {"name": "tasks", "instances": world.instances, "split": "tset"}
        probe.bind(ask)(world.tokenizer)
    with pytest.raises(ConfigError, match="it takes instances"):
        probe.bind({"name": "tasks", "instancse": world.instances})
    with pytest.raises(ConfigError, match="needs instances"):
        probe.bind("tasks")


def test_a_recipe_names_tasks_and_training_measures_them(world: World, tmp_path: Path) -> None:
    ask = {"name": "tasks", "reads": {"instances": world.instances},
           "params": {"split": "test", "families": ["naming"], "per_family": 2}}  # fmt: skip
    words = {
        "tokens": world.tokens,
        "model": SHAPE,
        "loop": {"steps": 2, "batch_tokens": 64, "micro_tokens": 64, "sequence": 32},
        "probe": {"every": 1, "downstream": [ask]},
    }
    rows = read_progress(train_run.run(train_run.RunConfig.model_validate(words), tmp_path / "run"))
    names = {name for row in rows for name in row if name.startswith("tasks/test/naming/")}
    assert names, "measured without any held-out text"
    assert all(name in row for row in rows for name in names), "at the start and at each step"
