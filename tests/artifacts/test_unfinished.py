from __future__ import annotations

from pathlib import Path

import pytest

from olmeda.artifacts.unfinished import PLAN, begin, described, give_way, note_refusal
from olmeda.base.errors import ArtifactError
from olmeda.base.files import write_json

PART = Path("journal/shards/tag/one.json")
STATE = Path("resume/step-00000007/state.json")
HELD = described("data.tag", "held", {"a": 1}, {"a": 1})
WANTED = described("data.tag", "wanted", {"a": 2}, {"a": 2})


def left(folder: Path, work: Path) -> Path:
    """What a run of the plan ``HELD`` left that had come as far as ``work``."""
    begin(folder, HELD, resumed=False)
    write_json(folder / work, {})
    return folder


@pytest.mark.parametrize("work", [PART, STATE])
def test_what_an_interrupted_run_saved_stands_in_the_way_of_other_settings(
    work: Path, tmp_path: Path
) -> None:
    making = left(tmp_path / ".out.making", work)
    with pytest.raises(ArtifactError, match="differs in a: 1"):
        give_way(making, WANTED, replace=False)
    assert (making / work).is_file()
    give_way(making, WANTED, replace=True)


def test_parts_of_a_run_whose_settings_were_refused_give_way_and_states_do_not(
    tmp_path: Path,
) -> None:
    parts = left(tmp_path / ".parts.making", PART)
    note_refusal(parts)
    give_way(parts, WANTED, replace=False)
    states = left(tmp_path / ".states.making", STATE)
    note_refusal(states)
    with pytest.raises(ArtifactError, match="unfinished run"):
        give_way(states, WANTED, replace=False)


def test_a_run_that_goes_on_is_no_refused_one_any_more(tmp_path: Path) -> None:
    making = left(tmp_path / ".out.making", PART)
    note_refusal(making)
    begin(making, HELD, resumed=True)
    assert "refused" not in (making / PLAN).read_text()
    with pytest.raises(ArtifactError, match="unfinished run"):
        give_way(making, WANTED, replace=False)
