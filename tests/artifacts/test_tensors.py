from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from merge.conftest import write_model
from olmeda.artifacts.checkpoint import Checkpoint
from olmeda.artifacts.tensors import TensorWriter, narrowed, read_slot, slots_of, widened
from olmeda.base.errors import ArtifactError


def test_written_file_is_read_by_safetensors(tmp_path: Path) -> None:
    values = {"a": np.arange(6.0).reshape(2, 3), "b": np.float64(2.5).reshape(()), "c": np.ones(0)}
    layout = {name: ("F32", v.shape) for name, v in values.items()}
    with TensorWriter(tmp_path / "m.safetensors", layout) as out:
        for name, value in values.items():
            out.write(name, value)
    found = load_file(tmp_path / "m.safetensors")
    assert all(np.array_equal(found[n], v) and found[n].shape == v.shape for n, v in values.items())


def test_file_of_safetensors_is_read_back(tmp_path: Path) -> None:
    path = write_model(tmp_path / "m", 0)
    tensors = {"x": np.eye(3, dtype=np.float32), "y": np.float16([1.5, -2])}
    save_file(tensors, path / "model.safetensors", metadata={"format": "pt"})
    slots = slots_of(Checkpoint.open(path))
    assert {n: s.dtype for n, s in slots.items()} == {"x": "F32", "y": "F16"}
    for name, tensor in tensors.items():
        assert np.array_equal(read_slot(slots[name]), tensor)


def test_failed_write_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        with TensorWriter(tmp_path / "m.safetensors", {"a": ("F32", (1,))}):
            raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_cut_file_is_named(tmp_path: Path) -> None:
    path = write_model(tmp_path / "m", 0)
    opened = Checkpoint.open(path)
    file = path / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-8])
    with pytest.raises(ArtifactError, match=r"model\.safetensors: cut short inside lm_head"):
        slots_of(opened)


def test_bfloat16_rounds_as_torch_does() -> None:
    torch = pytest.importorskip("torch")
    draws = np.random.default_rng(0)
    bits = draws.integers(0, 1 << 32, 50_000, dtype=np.uint32)
    values = bits.view(np.float32)
    values = np.append(values[~np.isnan(values)], np.float32([0.0, -0.0, np.inf, -np.inf]))
    theirs = torch.from_numpy(values).to(torch.bfloat16).view(torch.uint16).numpy()
    assert np.array_equal(narrowed(values, "BF16"), theirs)
    assert np.isnan(widened(narrowed(np.float32([np.nan]), "BF16"), "BF16")).all()


@given(st.integers(0, 0xFFFF), st.floats(0.0, 1.0))
def test_double_goes_to_bfloat16_with_one_rounding(low: int, way: float) -> None:
    low = low if (low & 0x7F80) != 0x7F80 and (low & 0x7FFF) < 0x7F7F else 0x3F80
    near, far = (
        widened(np.array([b], np.uint16), "BF16").astype(np.float64) for b in (low, low + 1)
    )
    value = near + (far - near) * way
    rounded = widened(narrowed(value, "BF16"), "BF16").astype(np.float64)
    error, best = abs(rounded - value), np.minimum(abs(near - value), abs(far - value))
    assert (error <= best).all()


def test_value_just_above_a_halfway_point_is_not_rounded_twice() -> None:
    # 1 + 2^-8 lies halfway between two bfloat16 numbers; float32 loses the 2^-40 above it.
    value = np.array([1 + 2**-8 + 2**-40])
    assert widened(narrowed(value, "BF16"), "BF16")[0] == 1 + 2**-7
    assert widened(narrowed(value.astype(np.float32), "BF16"), "BF16")[0] == 1.0
