"""How long training stands still for a saved state: written at once against in the background.

Wall seconds of ``save``, because it is the disk that is waited for; a matrix product repeated
beside it stands for the training that goes on. Run with ``make bench ROOM=saving``.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

import torch
from comparison import Row, publish
from torch import Tensor

from olmeda.train.saving import StateSaver
from olmeda.train.state import SavedState

SIZES = {"11 M parameters": 33, "33 M parameters": 100}
"""Tensors of 4 MiB: weights and both moments of AdamW."""


def seconds_held_up(tensors: dict[str, Tensor], background: bool, folder: Path) -> float:
    """The median seconds that ``save`` takes, of five."""
    saver = StateSaver(folder, background=background)
    taken = []
    for step in range(5):
        began = time.perf_counter()
        saver.save(tensors, SavedState(step, 0, 0.0, "", 0))
        taken.append(time.perf_counter() - began)
        train_on(1.0)
        saver.wait()
    return statistics.median(taken)


def train_on(seconds: float) -> None:
    """Keep the processor as busy as training would."""
    a = torch.randn(512, 512)
    upto = time.perf_counter() + seconds
    while time.perf_counter() < upto:
        a = torch.tanh(a @ a)


def main() -> None:
    """Measure both ways for each size."""
    torch.set_num_threads(1)
    rows = []
    for name, count in SIZES.items():
        tensors = {f"model.{n}": torch.randn(1024, 1024) for n in range(count)}
        with tempfile.TemporaryDirectory() as folder:
            ours = seconds_held_up(tensors, True, Path(folder) / "background")
            peer = seconds_held_up(tensors, False, Path(folder) / "at_once")
        rows.append(Row(name, ours, peer, peer / ours, "s held up", "written at once"))
    publish("saving", rows)


if __name__ == "__main__":
    main()
