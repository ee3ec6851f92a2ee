"""Golden cases of SciRIFF: ours in tests/golden, those with others' texts beside the data."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

import pytest

HOME = Path(__file__).parents[1] / "golden" / "instruct"
ROOT = Path(__file__).parents[2]


def cases(name: str) -> list[dict[str, Any]]:
    """The cases of one file that came with the project."""
    return list(json.loads((HOME / f"{name}.json").read_text())["cases"])


def far_cases(name: str) -> list[dict[str, Any]]:
    """The cases of a file that may not be copied; the test is skipped where it is absent."""
    data = Path(os.environ.get("OLMEDA_DATA", ROOT.parent / "shared" / "data"))
    file = data.parent / "golden" / "instruct" / f"{name}.json"
    if not file.is_file():
        pytest.skip(
            f"{name}.json holds texts of others and is not here; set OLMEDA_DATA to have it"
        )
    return list(json.loads(file.read_text())["cases"])


def ids(case: dict[str, Any]) -> str:
    return str(case["id"])


def plain(value: Any) -> Any:
    """A decoded value as the golden files write it: NaN and infinities as objects."""
    if isinstance(value, float) and not math.isfinite(value):
        return {"__float__": str(value)}
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    return [plain(v) for v in value] if isinstance(value, list) else value


def f1_dict(f1: Any) -> dict[str, float]:
    return dict(f1._asdict())


def assert_close(found: Any, expected: Any, where: str = "", tolerance: float = 1e-9) -> None:
    """Compare nested results: numbers within ``tolerance``, all else exactly."""
    if isinstance(expected, dict) and isinstance(found, dict):
        assert found.keys() == expected.keys(), where
        for key in expected:
            assert_close(found[key], expected[key], f"{where}.{key}", tolerance)
    elif isinstance(expected, list) and isinstance(found, list):
        assert len(found) == len(expected), where
        for i, (one, other) in enumerate(zip(found, expected)):
            assert_close(one, other, f"{where}[{i}]", tolerance)
    elif isinstance(expected, (int, float)) and not isinstance(expected, bool):
        assert found == pytest.approx(expected, abs=tolerance), where
    else:
        assert found == expected, where
