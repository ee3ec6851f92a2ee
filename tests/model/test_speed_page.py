"""The worked example of docs/model/speed.md runs as it stands."""

from __future__ import annotations

import re
from pathlib import Path

import torch

PAGE = Path(__file__).parents[2] / "docs" / "model" / "speed.md"


def test_worked_example_runs_and_segments_see_only_themselves() -> None:
    example = re.search(r"```python\n(.*?)```", PAGE.read_text(), re.S)
    assert example
    names: dict[str, object] = {}
    exec(example[1], names)  # noqa: S102 (our own page)
    whole, near, apart = (names[name] for name in ("whole", "near", "apart"))
    assert all(isinstance(t, torch.Tensor) for t in (whole, near, apart))
    torch.testing.assert_close(whole[:, :64], near[:, :64])
    torch.testing.assert_close(whole[0, :200], apart[0, :200])
    assert not torch.allclose(whole[0, 200:], apart[0, 200:])
