"""What the pages of the rooms show works as shown."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from olmeda.evals.run import RunConfig
from olmeda.instruct.build import BuildConfig
from olmeda.instruct.formatters.python_name import python_name
from olmeda.instruct.task import TaskFile, find_task, shipped_tasks

DOCS = Path(__file__).parents[2] / "docs"


def blocks(page: str) -> list[dict[str, Any]]:
    """The YAML blocks of a page."""
    text = (DOCS / page).read_text()
    return [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", text, re.S)]


def test_build_configuration_is_valid() -> None:
    config = BuildConfig(**blocks("instruct.md")[0])
    for names in config.tasks.values():
        assert all(find_task(name).is_file() for name in names)


def test_task_of_your_own_is_valid_and_renders() -> None:
    task = TaskFile(**blocks("instruct.md")[1])
    fields = {"code": "def ____():\n    return 1", "name": "one"}
    assert task.render(fields, "0").output == "one"
    assert task.items().func is python_name  # type: ignore[attr-defined]


def test_run_configuration_is_valid() -> None:
    assert RunConfig(**blocks("evals.md")[0]).per_family == 120


@pytest.mark.parametrize("name", shipped_tasks())
def test_every_shipped_task_is_on_the_page(name: str) -> None:
    assert f"| `{name}` |" in (DOCS / "instruct.md").read_text()
