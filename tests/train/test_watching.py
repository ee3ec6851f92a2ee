"""What the blocks ``probe`` and ``monitor`` ask for, in real runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from olmeda.artifacts.checkpoint import read_progress
from olmeda.base.errors import ConfigError
from olmeda.train import watching
from olmeda.train.batches import InstanceBatches
from olmeda.train.gradient_norms import gradient_norms
from olmeda.train.monitor_config import Downstream
from olmeda.train.peak import matmul_peak
from olmeda.train.run import RunConfig, run
from train.test_run import at_step, config, interrupt

PROBE = {"every": 10, "tokens": 200, "routes": 64}
MONITOR = {"gradients": 5, "spike_window": 3}


def settings(tokens: dict[str, Path], model: str = "moe", **changes: Any) -> RunConfig:
    return config(tokens, model, **{"probe": PROBE, "monitor": MONITOR, **changes})


def test_a_run_says_what_was_asked_and_when(tokens: dict[str, Path], tmp_path: Path) -> None:
    rows = {row["step"]: row for row in read_progress(run(settings(tokens), tmp_path / "run"))}
    probed = [step for step, row in rows.items() if "load" in row]
    assert probed == [0, 10, 20]
    assert [s for s, row in rows.items() if "saturation/first" in row] == probed[1:]
    assert [s for s, row in rows.items() if "grad_norms" in row] == [5, 10, 15, 20]
    assert [s for s, row in rows.items() if "spike/loss" in row] == list(range(4, 21))
    norms = rows[5]["grad_norms"]
    total = sum(value**2 for value in norms.values()) ** 0.5
    assert total == pytest.approx(rows[5]["grad_norm"], rel=1e-5)
    assert "mfu" not in json.dumps(rows), "clocks stay out of the log"
    speeds = [json.loads(line) for line in (tmp_path / "run/journal/speed.jsonl").open()]
    assert all(0 < row["mfu"] < 1 for row in speeds)
    assert [row["step"] for row in speeds] == list(range(1, 21))


def test_a_killed_run_remembers_what_its_monitors_knew(
    tokens: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    straight = run(settings(tokens), tmp_path / "straight")
    with monkeypatch.context() as patch:
        patch.setattr(InstanceBatches, "at", at_step(14, interrupt))
        with pytest.raises(KeyboardInterrupt):
            run(settings(tokens), tmp_path / "killed")
    killed = run(settings(tokens), tmp_path / "killed")
    assert (killed / "progress.jsonl").read_bytes() == (straight / "progress.jsonl").read_bytes()


def test_where_a_run_is_shown_changes_nothing_of_it(tokens: dict[str, Path]) -> None:
    plain = settings(tokens)
    shown = settings(tokens, monitor={**MONITOR, "trackers": ["wandb"], "utilisation": False})
    assert run.plan(plain).key == run.plan(shown).key
    assert run.plan(plain).key != run.plan(settings(tokens, monitor={})).key


def test_unknown_plugins_are_refused_before_the_first_step(
    tokens: dict[str, Path], tmp_path: Path
) -> None:
    wrong = settings(tokens, monitor={"trackers": ["wandbb"]})
    with pytest.raises(ConfigError, match=r"wandbb.*wandb"):
        run(wrong, tmp_path / "run")
    asked = settings(tokens, probe={**PROBE, "downstream": [{"name": "taskss"}]})
    with pytest.raises(ConfigError, match="tasks"):
        run(asked, tmp_path / "run")


def test_a_downstream_probe_gets_its_artifacts_and_they_are_inputs(
    tokens: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []

    def bind(spec: dict[str, Any]) -> Any:
        seen.append(spec)
        return lambda tokenizer: lambda model: {"mine/score": 0.5}

    monkeypatch.setattr(watching.probe, "bind", bind)
    asked = Downstream(name="mine", reads={"text": tokens["heldout"]}, params={"batch": 4})
    changed = settings(tokens, probe={**PROBE, "downstream": [asked.model_dump()]})
    assert "probe.downstream.0.reads.text" in changed.inputs()
    rows = read_progress(run(changed, tmp_path / "run"))
    assert [r["mine/score"] for r in rows if "mine/score" in r] == [0.5] * 3
    assert seen == [{"name": "mine", "batch": 4, "text": tokens["heldout"]}]


def test_norms_are_by_the_names_of_parameters() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.Linear(2, 1))
    model[1].bias.requires_grad_(False)
    model(torch.ones(4, 3)).sum().backward()
    norms = gradient_norms(model)["grad_norms"]
    assert list(norms) == ["0.weight", "0.bias", "1.weight"]
    assert norms["0.bias"] == pytest.approx(float(model[0].bias.grad.norm()))
    assert gradient_norms(torch.nn.Linear(1, 1)) == {"grad_norms": {}}


def test_the_peak_is_a_speed() -> None:
    assert 1e8 < matmul_peak() < 1e14
