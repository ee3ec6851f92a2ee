"""Compiled kernels kept on disk: found again, and stale where any of their sources changed."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from olmeda.model.kernels import compiled as home
from olmeda.model.kernels.compiled import compiled, sources_digest


def kernel(file: Path) -> Any:
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found = compiled(module.twice)
    assert found(4) == 8
    return found


def test_kernel_is_found_on_disk_until_a_source_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "kernel_of_a_test.py"
    file.write_text("def twice(x):\n    return 2 * x\n")
    assert sum(kernel(file).stats.cache_hits.values()) == 0
    assert sum(kernel(file).stats.cache_hits.values()) == 1
    monkeypatch.setattr(home, "sources_digest", lambda: "another")
    assert sum(kernel(file).stats.cache_hits.values()) == 0


def test_digest_is_that_of_names_and_contents(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x")
    found = [sources_digest(tmp_path)]
    for name, text in (("a.py", "y"), ("b.py", "x"), ("a.py", "x")):
        (tmp_path / name).write_text(text)
        sources_digest.cache_clear()
        found.append(sources_digest(tmp_path))
    assert len(set(found)) == 4
