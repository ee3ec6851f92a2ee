"""What docs/billboard.md shows can be done as it is written."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from olmeda.billboard.measure import MeasureConfig
from olmeda.billboard.rank import RankConfig
from olmeda.billboard.registries import Metric, metric

from .conftest import ROOT

PAGE = (ROOT / "docs" / "billboard.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.S)


def test_commands_name_keys_that_exist() -> None:
    lines = [c for c in blocks("sh")[0].replace("\\\n", " ").splitlines() if c.strip()]
    configs = {"measure": MeasureConfig, "rank": RankConfig}
    for line in lines:
        words = shlex.split(line)
        assert words[:2] == ["olmeda", "billboard"]
        configs[words[2]].load(None, [w for w in words if "=" in w])


def test_metric_of_the_page_is_registered_and_measures(tmp_path: Path) -> None:
    code = next(b for b in blocks("python") if "@metric" in b)
    space: dict[str, Metric] = {}
    try:
        exec(code, {"__name__": "billboard_docs"}, space)  # noqa: S102 (our own page)
        bound = metric.bind({"name": "type_ratio", "least": 2})
        assert bound(["a a b", "", "a"], [[""]] * 3) == [2 / 3, 0.0, 0.5]
    finally:
        metric._plugins.pop("type_ratio", None)
