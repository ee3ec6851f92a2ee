from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from merge.conftest import write_model
from olmeda.artifacts.checkpoint import INDEX, Checkpoint
from olmeda.artifacts.tensors import TensorWriter, read_slot, slots_of
from olmeda.base.errors import ArtifactError, InputError
from olmeda.model import hf
from olmeda.train import average as module
from olmeda.train.average import AverageConfig, average, mean
from olmeda.train.run import run
from train.test_run import config

FLOATS = st.floats(
    width=32, allow_nan=False, allow_infinity=False, min_value=-(2.0**90), max_value=2.0**90
)


def averaged(paths: list[Path], out: Path, **changes: Any) -> Path:
    return average(AverageConfig.model_validate({"checkpoints": paths, **changes}), out)


def read(path: Path) -> dict[str, np.ndarray]:
    return {name: read_slot(slot) for name, slot in slots_of(Checkpoint.open(path)).items()}


@given(st.lists(st.tuples(FLOATS, st.integers(1, 9)), min_size=1, max_size=6))
def test_a_mean_is_the_exact_one_rounded_once(pairs: list[tuple[float, int]]) -> None:
    tensors = [np.float32([value]) for value, _ in pairs]
    weights = [float(weight) for _, weight in pairs]
    exact = sum(Fraction(v) * w for v, w in pairs) / sum(w for _, w in pairs)
    found = mean(iter(tensors), weights).astype(np.float32)[0]
    neighbours = [np.nextafter(found, np.float32(to)) for to in (-np.inf, np.inf)]
    error = abs(Fraction(float(found)) - exact)
    assert all(error <= abs(Fraction(float(n)) - exact) for n in neighbours if np.isfinite(n))


@pytest.mark.parametrize("dtype", ["F32", "BF16"])
def test_the_mean_of_equal_checkpoints_is_each_of_them(dtype: str, tmp_path: Path) -> None:
    paths = [write_model(tmp_path / f"m{n}", 1, dtype=dtype) for n in range(3)]
    made = averaged(paths, tmp_path / "out", weights=[1, 2.5, 0.3])
    assert (made / "model.safetensors").read_bytes() == (
        paths[0] / "model.safetensors"
    ).read_bytes()


def test_weights_count_and_a_weight_of_nothing_leaves_out(tmp_path: Path) -> None:
    paths = [write_model(tmp_path / f"m{n}", n) for n in range(3)]
    held = [read(path) for path in paths]
    made = read(averaged(paths, tmp_path / "out", weights=[3, 1, 0]))
    for name, tensor in made.items():
        expected = 0.75 * held[0][name].astype(float) + 0.25 * held[1][name]
        np.testing.assert_array_equal(tensor, expected.astype(np.float32))


def test_order_does_not_show(tmp_path: Path) -> None:
    paths = [write_model(tmp_path / f"m{n}", n) for n in range(5)]
    one = averaged(paths, tmp_path / "one")
    other = averaged(paths[::-1], tmp_path / "other")
    assert (one / "model.safetensors").read_bytes() == (other / "model.safetensors").read_bytes()


def test_the_mean_of_two_runs_opens_and_is_between_them(
    tokens: dict[str, Path], tmp_path: Path
) -> None:
    loop = {"steps": 4}
    paths = [
        run(config(tokens, loop=loop, heldout=None, seed=s), tmp_path / f"r{s}") for s in (1, 2)
    ]
    made = averaged(paths, tmp_path / "out", dtype="bfloat16")
    soup, *models = (dict(hf.load(path).named_parameters()) for path in (made, *paths))
    for name, value in soup.items():
        middle = (models[0][name].double() + models[1][name].double()) / 2
        assert value.equal(middle.bfloat16().float()), name
    assert Checkpoint.open(made).config["dtype"] == "bfloat16"


def test_sharded_files_are_written_where_one_would_be_large(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [write_model(tmp_path / f"m{n}", n) for n in range(2)]
    whole = averaged(paths, tmp_path / "whole")
    write = module.write_weights
    monkeypatch.setattr(module, "write_weights", lambda *given: write(*given, 200))
    shards = averaged(paths, tmp_path / "shards")
    assert (shards / INDEX).is_file()
    parts, expected = read(shards), read(whole)
    assert all(np.array_equal(parts[name], tensor) for name, tensor in expected.items())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"config": {"num_attention_heads": 4}}, "config.json says num_attention_heads 4"),
        ({"without": "lm_head.weight"}, "lm_head.weight is None"),
        ({"shapes": {"model.norm.weight": (5,)}}, r"model.norm.weight is \(5,\)"),
        ({"tokenizer": "{ }"}, "another tokenizer"),
    ],
)
def test_checkpoints_of_different_models_are_refused(
    changes: dict[str, Any], message: str, tmp_path: Path
) -> None:
    paths = [write_model(tmp_path / "a", 0), write_model(tmp_path / "b", 1, **changes)]
    with pytest.raises(ArtifactError, match=message):
        averaged(paths, tmp_path / "out")


def test_a_value_that_is_no_number_is_refused(tmp_path: Path) -> None:
    paths = [write_model(tmp_path / name, 0) for name in "ab"]
    layout = {name: (s.dtype, s.shape) for name, s in slots_of(Checkpoint.open(paths[1])).items()}
    values = read(paths[1])
    values["model.norm.weight"][2] = np.nan
    with TensorWriter(paths[1] / "model.safetensors", layout) as out:
        for name, tensor in values.items():
            out.write(name, tensor)
    with pytest.raises(InputError, match=r"model\.norm\.weight holds NaN"):
        averaged(paths, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("weights", [[1.0], [0.0, 0.0], [1.0, -1.0]])
def test_weights_that_make_no_mean_are_refused(weights: list[float]) -> None:
    with pytest.raises(ValidationError):
        AverageConfig.model_validate({"checkpoints": ["a", "b"], "weights": weights})
