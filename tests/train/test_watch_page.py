"""What docs/train/watch.md shows works as it stands there."""

from __future__ import annotations

import re
import runpy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from rich.console import Console

from olmeda.artifacts.checkpoint import read_progress
from olmeda.artifacts.training_log import TrainingLog
from olmeda.base.registry import Registry
from olmeda.model.config import ModelConfig
from olmeda.model.probe import Probe, probe
from olmeda.model.transformer import Transformer
from olmeda.tokens.tokenizer import Tokenizer
from olmeda.train.duration import Position
from olmeda.train.live import screen
from olmeda.train.loop import Moment
from olmeda.train.monitor_config import MonitorConfig, ProbeConfig
from olmeda.train.run import RunConfig, run
from olmeda.train.trackers.registry import tracker
from train.conftest import MODELS

PAGE = (Path(__file__).parents[2] / "docs/train/watch.md").read_text()
BLOCKS = dict(zip(("yaml", "hook", "probe"), re.findall(r"```\w+\n(.*?)```", PAGE, re.S)))


def model() -> Transformer:
    return Transformer.initialised(ModelConfig.model_validate(MODELS["dense"]), 1)


def test_the_recipe_is_one(tokens: dict[str, Path], tmp_path: Path) -> None:
    values = yaml.safe_load(BLOCKS["yaml"])
    config = RunConfig.model_validate(values)
    assert "probe.downstream.0.reads.instances" in config.inputs()
    for asked in config.probe.downstream:
        assert set(asked.params) <= set(probe.get(asked.name).parameters)
    for spec in config.monitor.trackers:
        tracker.bind(spec)


@pytest.mark.parametrize("block", [MonitorConfig, ProbeConfig])
def test_every_key_stands_on_the_page(block: Any) -> None:
    for key in block.model_fields:
        assert f"{key}:" in PAGE or f".{key}" in PAGE, key


def test_every_measure_of_a_run_stands_on_the_page(tokens: dict[str, Path], tmp_path: Path) -> None:
    loop = {"steps": 6, "batch_tokens": 64, "micro_tokens": 64, "sequence": 32}
    watched = {**tokens, "model": MODELS["moe"], "loop": loop,
               "probe": {"every": 3, "tokens": 50, "routes": 32},
               "monitor": {"gradients": 3, "spike_window": 2}}  # fmt: skip
    out = run(RunConfig.model_validate(watched), tmp_path / "run")
    names = dict.fromkeys(name for row in read_progress(out) for name in row)
    for name in names:
        shown = re.sub(r"^heldout/.*", "heldout/<source>", name)
        assert f"`{shown}`" in PAGE or name in ("step", "tokens"), name
    console = Console(width=100)
    with console.capture() as capture:
        console.print(screen([TrainingLog.open(out)], 100, 30))
    assert "6/6" in capture.get()


def executed(code: str, folder: Path, names: dict[str, Any]) -> dict[str, Any]:
    """What a block of the page defines, given the names it takes for known."""
    file = folder / "shown.py"
    file.write_text(f"from __future__ import annotations\n{code}")
    return runpy.run_path(str(file), names)


def test_the_hook_measures(tmp_path: Path) -> None:
    held = executed(BLOCKS["hook"], tmp_path, {"model": model()})
    ((_, hook),) = held["monitors"].every
    found = hook(Moment(Position(0, 0, 0.0), {}, last=False))
    assert found["longest_weight"] > 0


@torch.no_grad()
def test_the_probe_measures(tokens: dict[str, Path], tmp_path: Path) -> None:
    mine: Registry[Any] = Registry("probe", "olmeda.evals.probes")
    names = {"probe": mine, "Probe": Probe, "Path": Path, "Mapping": Mapping, "torch": torch,
             "Tokenizer": Tokenizer, "Transformer": Transformer}  # fmt: skip
    executed(BLOCKS["probe"], tmp_path, names)
    measure = mine.bind({"name": "first_word", "prompt": "A"})(tokens["tokens"] / "tokenizer")
    assert 0 < measure(model())["first_word"] < 1
