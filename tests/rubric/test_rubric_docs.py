"""What docs/rubric.md shows can be done as it is written."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from olmeda.rubric.agree import AgreeConfig
from olmeda.rubric.prepare import PrepareConfig
from olmeda.rubric.rubric import read_rubric

from .conftest import ROOT

PAGE = (ROOT / "docs" / "rubric.md").read_text()


def test_commands_name_keys_that_exist() -> None:
    page = re.findall(r"```sh\n(.*?)```", PAGE, re.S)[0].replace("\\\n", " ")
    configs = {"prepare": PrepareConfig, "agree": AgreeConfig}
    seen = []
    for line in page.splitlines():
        words = shlex.split(line, comments=True)
        if words[1] == "rubric" and words[2] in configs:
            configs[words[2]].load(None, [w for w in words if "=" in w])
            seen.append(words[2])
    assert seen == ["prepare", "agree"]


def test_rubric_of_the_page_can_be_used(tmp_path: Path) -> None:
    file = tmp_path / "terse.yaml"
    file.write_text(re.findall(r"```yaml\n(.*?)```", PAGE, re.S)[0])
    rubric = read_rubric(file)
    assert rubric.formula == "Ok + Long"
    assert rubric.total({"Ok": 3, "Long": -0.5}) == 2.5
