from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from olmeda.base.errors import ArtifactError
from olmeda.train import state as module
from olmeda.train.duration import Position
from olmeda.train.muon import Muon
from olmeda.train.state import forget, restore, save_state, saved_state


def pieces(seed: int, width: int = 4) -> tuple[nn.Module, list[torch.optim.Optimizer]]:
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(3, width), nn.Linear(width, 2))
    matrices = [p for p in model.parameters() if p.ndim == 2]
    rest = [p for p in model.parameters() if p.ndim < 2]
    return model, [Muon(matrices, lr=0.1), torch.optim.AdamW(rest, lr=0.1, fused=True)]


def take_step(model: nn.Module, optimizers: list[torch.optim.Optimizer]) -> None:
    model(torch.randn(5, 3)).square().sum().backward()
    for optimizer in optimizers:
        optimizer.step()
        optimizer.zero_grad()


def save(folder: Path, steps: int, model: nn.Module, optimizers: list) -> None:  # type: ignore[type-arg]
    save_state(folder, model, optimizers, Position(steps, steps * 9, 0.5), "order", 123)


def test_a_restored_run_takes_the_same_next_step(tmp_path: Path) -> None:
    model, optimizers = pieces(1)
    take_step(model, optimizers)
    save(tmp_path, 1, model, optimizers)
    take_step(model, optimizers)
    other, others = pieces(2)
    held = saved_state(tmp_path)
    assert held is not None
    assert held.position == Position(1, 9, 0.5)
    assert held.progress_bytes == 123
    restore(tmp_path, held, other, others, "order")
    take_step(other, others)
    for a, b in zip(model.parameters(), other.parameters(), strict=True):
        assert torch.equal(a, b)


def test_one_state_is_kept_and_a_crash_while_saving_keeps_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, optimizers = pieces(1)
    take_step(model, optimizers)
    save(tmp_path, 1, model, optimizers)
    save(tmp_path, 2, model, optimizers)
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "state-00000002.safetensors",
        "state.json",
    ]

    def crash(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "write_json", crash)
    with pytest.raises(OSError, match="No space"):
        save(tmp_path, 3, model, optimizers)
    held = saved_state(tmp_path)
    assert held is not None
    restore(tmp_path, held, model, optimizers, "order")
    assert held.steps == 2


def test_state_of_another_order_or_shape_or_cut_short_is_refused(tmp_path: Path) -> None:
    model, optimizers = pieces(1)
    save(tmp_path, 1, model, optimizers)
    held = saved_state(tmp_path)
    assert held is not None
    with pytest.raises(ArtifactError, match="another order"):
        restore(tmp_path, held, model, optimizers, "other")
    with pytest.raises(ArtifactError, match=r"does not fit the model at 0\.weight"):
        restore(tmp_path, held, *pieces(1, width=5), "order")
    file = tmp_path / held.tensors
    file.write_bytes(file.read_bytes()[:-9])
    with pytest.raises(ArtifactError, match="cannot be read"):
        restore(tmp_path, held, model, optimizers, "order")


def test_forgetting_leaves_nothing(tmp_path: Path) -> None:
    model, optimizers = pieces(1)
    save(tmp_path / "resume", 1, model, optimizers)
    forget(tmp_path / "resume")
    assert list(tmp_path.iterdir()) == []
    assert saved_state(tmp_path / "resume") is None
