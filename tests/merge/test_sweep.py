from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from olmeda.artifacts.checkpoint import Checkpoint
from olmeda.artifacts.lineage import Lineage
from olmeda.base.errors import ConfigError
from olmeda.base.files import read_json
from olmeda.merge import stream
from olmeda.merge.apply import ApplyConfig, Weighted, apply
from olmeda.merge.sweep import SweepConfig, points, sweep

Make = Callable[..., Path]


def test_each_swept_model_equals_the_merge_made_alone(make: Make, tmp_path: Path) -> None:
    base, general, one, two = (make(n, i) for i, n in enumerate(["base", "general", "a", "b"]))
    made = sweep(
        SweepConfig(base=base, general=general, skills={"a": one, "b": two}, weights=[0, 0.4]),
        tmp_path / "sweep",
    )
    names = ["a-0.00", "a-0.40", "b-0.00", "b-0.40", "both-0.00", "both-0.40"]
    assert [p["system"] for p in read_json(made / "sweep.json")] == names
    alone = apply(
        ApplyConfig(base=base, models={"general": Weighted(path=general),
                                       "b": Weighted(path=two, weight=0.4)}),
        tmp_path / "alone",
    )  # fmt: skip
    weights = (alone / "model.safetensors").read_bytes()
    assert (made / "b-0.40" / "model.safetensors").read_bytes() == weights
    zero = (made / "both-0.00" / "model.safetensors").read_bytes()
    assert zero == (general / "model.safetensors").read_bytes()
    assert Checkpoint.open(made / "both-0.40").names == Checkpoint.open(base).names
    assert Lineage.open(made).counts == {"models": 6, "parameters": 100}


def test_inputs_are_read_once_whatever_the_number_of_weights(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[str] = []
    real = stream.read_slot
    monkeypatch.setattr(
        stream, "read_slot", lambda s: (reads.append(s.file.parent.name), real(s))[1]
    )
    base, general, skill = make("base", 0), make("general", 1), make("skill", 2)
    sweep(
        SweepConfig(base=base, general=general, skills={"s": skill}, weights=[0.1, 0.5, 0.9]),
        tmp_path / "sweep",
    )
    assert sorted(reads) == ["base"] * 3 + ["general"] * 3 + ["skill"] * 3


def test_weights_are_added_or_shared() -> None:
    added = points(["a", "b", "c"], [0.6], "added")
    assert [p.system for p in added] == ["a-0.60", "b-0.60", "c-0.60", "all-0.60"]
    assert added[-1].weights == {"general": 1.0, "a": 0.6, "b": 0.6, "c": 0.6}
    shared = points(["a", "b"], [0.6], "shared")
    assert shared[0].weights == {"general": 0.4, "a": 0.6}
    assert shared[-1].weights == {"general": 0.4, "a": 0.3, "b": 0.3}


def test_two_points_of_one_name_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"'a-0\.10' twice"):
        points(["a"], [0.101, 0.102], "added")
    with pytest.raises(ConfigError, match=r"skills\.both"):
        points(["a", "both"], [0.1], "added")
    with pytest.raises(ConfigError, match=r"skills\.general"):
        points(["general"], [0.1], "added")
