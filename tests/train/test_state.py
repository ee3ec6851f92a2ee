from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from olmeda.base.errors import ArtifactError, ResourceError
from olmeda.train import saving
from olmeda.train.duration import Position
from olmeda.train.muon import Muon
from olmeda.train.progress import ProgressLog
from olmeda.train.saving import StateSaver
from olmeda.train.state import (
    SavedState,
    Trained,
    captured,
    drop_unfinished,
    newest_state,
    restore,
    saved_states,
)
from olmeda.train.whole_state import whole_state


def pieces(seed: int, width: int = 4, order: str = "order") -> Trained:
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(3, width), nn.Linear(width, 2))
    matrices = [p for p in model.parameters() if p.ndim == 2]
    rest = [p for p in model.parameters() if p.ndim < 2]
    optimizers = [Muon(matrices, lr=0.1), torch.optim.AdamW(rest, lr=0.1, fused=True)]
    return Trained(model, optimizers, order, {"heat": torch.full((2,), float(seed))})


def take_step(trained: Trained) -> None:
    trained.model(torch.randn(5, 3)).square().sum().backward()
    for optimizer in trained.optimizers:
        optimizer.step()
        optimizer.zero_grad()


def save(saver: StateSaver, steps: int, trained: Trained) -> None:
    saver.save(captured(trained), SavedState(steps, steps * 9, 0.5, trained.order_digest, 123))


def held_in(folder: Path) -> SavedState:
    held = newest_state(folder)
    assert held is not None
    return held


@pytest.mark.parametrize("background", [True, False])
def test_a_restored_run_takes_the_same_next_step(background: bool, tmp_path: Path) -> None:
    trained = pieces(1)
    take_step(trained)
    saver = StateSaver(tmp_path, background=background)
    save(saver, 1, trained)
    take_step(trained)  # what is written in the background was copied before
    saver.wait()
    other = pieces(2)
    held = held_in(tmp_path)
    assert held.position == Position(1, 9, 0.5)
    assert held.progress_bytes == 123
    restore(tmp_path, held, other)
    assert other.memory["heat"].tolist() == [1.0, 1.0]
    take_step(other)
    for a, b in zip(trained.model.parameters(), other.model.parameters(), strict=True):
        assert torch.equal(a, b)


def test_so_many_of_the_newest_states_are_kept_and_each_can_be_gone_back_to(tmp_path: Path) -> None:
    trained, saver = pieces(1), StateSaver(tmp_path, keep_last=2)
    for steps in (1, 2, 3):
        take_step(trained)
        save(saver, steps, trained)
    saver.wait()
    assert [s.steps for s in saved_states(tmp_path)] == [2, 3]
    restore(tmp_path, saved_states(tmp_path)[0], pieces(2))


def test_a_step_that_is_saved_is_not_written_again(tmp_path: Path) -> None:
    trained, saver = pieces(1), StateSaver(tmp_path)
    save(saver, 4, trained)
    saver.wait()
    before = (tmp_path / "step-00000004" / "state.safetensors").stat().st_mtime_ns
    save(saver, 4, trained)
    saver.wait()
    assert (tmp_path / "step-00000004" / "state.safetensors").stat().st_mtime_ns == before


@pytest.mark.parametrize("background", [True, False])
def test_a_full_disk_is_told_of_and_the_state_before_stays(
    background: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained, saver = pieces(1), StateSaver(tmp_path, background=background)
    take_step(trained)
    save(saver, 2, trained)
    saver.wait()

    def refuse(tensors: object, path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(saving, "save_file", refuse)
    message = r"no space left on the disk.*last saved state is of step 2 .*same command again"
    with pytest.raises(ResourceError, match=message):
        save(saver, 3, trained)
        saver.wait()
    assert [s.steps for s in saved_states(tmp_path)] == [2]
    restore(tmp_path, held_in(tmp_path), trained)
    drop_unfinished(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["step-00000002"]


def test_state_of_another_order_or_shape_or_cut_short_is_refused(tmp_path: Path) -> None:
    trained, saver = pieces(1), StateSaver(tmp_path)
    save(saver, 1, trained)
    saver.wait()
    held = held_in(tmp_path)
    with pytest.raises(ArtifactError, match="another order"):
        restore(tmp_path, held, pieces(1, order="other"))
    with pytest.raises(ArtifactError, match=r"does not fit the model at 0\.weight"):
        restore(tmp_path, held, pieces(1, width=5))
    file = tmp_path / held.folder / "state.safetensors"
    file.write_bytes(file.read_bytes()[:-9])
    with pytest.raises(ArtifactError, match=r"cannot be read .*remove .*step-00000001$"):
        restore(tmp_path, held, trained)
    file.unlink()
    with pytest.raises(ArtifactError, match=r"does not fit|cannot be read"):
        restore(tmp_path, held, trained)


def flip(home: Path) -> None:
    file = home / "state.safetensors"
    content = bytearray(file.read_bytes())
    content[-20] ^= 0x40
    file.write_bytes(content)


DAMAGES: dict[str, tuple[Callable[[Path], Any], str]] = {
    "a bit": (flip, r"state\.safetensors has changed"),
    "half": (lambda home: os.truncate(home / "state.safetensors", 99), "has changed"),
    "gone": (lambda home: (home / "state.safetensors").unlink(), "is missing"),
    "empty": (lambda home: (home / "state.json").write_text(""), "cannot be read"),
    "foreign": (lambda home: (home / "state.json").write_text('{"steps": 3}'), "cannot be read"),
}


@pytest.mark.parametrize("background", [True, False])
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_state_is_told_of_and_the_one_before_is_taken(
    damage: str, background: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trained = pieces(1)
    saver = StateSaver(tmp_path, keep_last=2, background=background)
    for steps in (1, 2):
        take_step(trained)
        save(saver, steps, trained)
    saver.wait()
    assert whole_state(tmp_path) == newest_state(tmp_path)
    do, why = DAMAGES[damage]
    do(tmp_path / "step-00000002")
    held = whole_state(tmp_path)
    assert held is not None
    assert held.steps == 1
    restore(tmp_path, held, pieces(2))
    told = capsys.readouterr().err
    assert re.search(rf"step-00000002: a damaged state \(.*{why}.*\).* going back to step 1", told)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["damaged-step-00000002", "step-00000001"]


def test_where_every_state_is_damaged_one_folder_is_named_and_nothing_removed(
    tmp_path: Path,
) -> None:
    trained, saver = pieces(1), StateSaver(tmp_path, keep_last=2)
    for steps in (1, 2):
        save(saver, steps, trained)
    saver.wait()
    flip(tmp_path / "step-00000001")
    (tmp_path / "step-00000002" / "state.json").write_text("")
    with pytest.raises(ArtifactError, match=r"remove \S*step-00000002 to begin"):
        whole_state(tmp_path)
    assert len(list(tmp_path.iterdir())) == 2
    assert whole_state(tmp_path / "none") is None


def test_a_log_shorter_than_the_state_says_is_refused(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"short")
    with pytest.raises(ArtifactError, match=r"has 5 bytes.* after 9 of them"):
        ProgressLog(tmp_path / "log", 9)
    with pytest.raises(ArtifactError, match="has 0 bytes"):
        ProgressLog(tmp_path / "gone", 9)
    assert (tmp_path / "log").read_bytes() == b"short"
