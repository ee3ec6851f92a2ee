"""What the training loop adds to a step of the model, and what recomputation saves and costs.

Shape: width 256, 8 layers, 8192 ids, rows of 512, four at once; one thread, medians of CPU seconds.
Memory is measured in a process of its own: the peak of a step over what the process held before its
first. ``python bench/loop.py`` (or ``make bench ROOM=loop``).
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from comparison import Row, cpu_seconds, publish

from olmeda.model.config import ModelConfig
from olmeda.model.transformer import Transformer
from olmeda.train.average import mean
from olmeda.train.compute import ComputeConfig
from olmeda.train.optim import AdamW, MuonWithAdamW
from olmeda.train.rows import Rows, language_loss
from olmeda.train.step import accumulate, train_step

CONFIG = ModelConfig(vocab_size=8192, width=256, layers=8, heads=8, mlp_width=768, sequence=512)
ROWS = 4
STEP = """
import json, re, sys
from collections.abc import Callable
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import loop
def peak(name):
    return int(re.search(name + r":\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) * 1024
step = loop.step_of(loop.ComputeConfig(device="cpu", recompute=int(sys.argv[2])))
before = peak("VmRSS")
step()
print(json.dumps(peak("VmHWM") - before))
"""


def rows(count: int = ROWS) -> Rows:
    """One micro-batch of random tokens."""
    generator = torch.Generator().manual_seed(0)
    size = (count, CONFIG.sequence)
    ids, labels = (torch.randint(0, CONFIG.vocab_size, size, generator=generator) for _ in "ab")
    return Rows(ids, labels, labels.numel(), labels.numel())


def step_of(compute: ComputeConfig) -> Callable[[], object]:
    """Forward and backward of one micro-batch, to be called again and again."""
    torch.set_num_threads(1)
    model = Transformer.initialised(CONFIG, 0)
    compute.apply(model)
    loss, batch = compute.computing(language_loss(CONFIG)), [rows()]
    return lambda: accumulate(model, batch, loss)


def peak_bytes(recompute: int) -> int:
    """The peak of one step over the start, in a process of its own."""
    command = [sys.executable, "-c", STEP, str(Path(__file__).parent), str(recompute)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(json.loads(done.stdout.splitlines()[-1]))


def recomputation() -> list[Row]:
    """Time and memory of a step whose blocks are all, or every second, computed again."""
    plain = step_of(ComputeConfig(device="cpu"))
    seconds, held = cpu_seconds(plain), peak_bytes(0)
    found = []
    for every in (1, 2):
        again = cpu_seconds(step_of(ComputeConfig(device="cpu", recompute=every)))
        peak = peak_bytes(every)
        found.append(Row(f"recompute={every}: step", again, seconds, again / seconds, "s", "none"))
        found.append(
            Row(f"recompute={every}: peak", peak / 2**20, held / 2**20, peak / held, "MiB", "none")
        )
    return found


def optimisers() -> list[Row]:
    """A whole step under each optimiser against forward and backward alone."""
    alone = cpu_seconds(step_of(ComputeConfig(device="cpu")))
    found = []
    for name, optim in (("adamw", AdamW()), ("muon", MuonWithAdamW()),
                        ("muon, not split", MuonWithAdamW(split=False))):  # fmt: skip
        model, batch = Transformer.initialised(CONFIG, 0), [rows()]
        optimizers, loss = optim.build(model, 1e-4), language_loss(CONFIG)
        whole = cpu_seconds(lambda: train_step(model, batch, loss, optimizers, 1.0))  # noqa: B023
        found.append(Row(f"step with {name}", whole, alone, whole / alone, "s", "no update"))
    return found


def averaging() -> list[Row]:
    """The mean of three tensors of 16 million elements, and torch's in float64."""
    arrays = [torch.randn(1 << 24).numpy() for _ in range(3)]
    ours = cpu_seconds(lambda: mean(iter(arrays), [1.0] * 3), runs=3)
    tensors = [torch.from_numpy(a) for a in arrays]
    theirs = cpu_seconds(lambda: sum(t.double() for t in tensors) / 3, runs=3)
    return [Row("mean of 3 x 16 M", ours, theirs, ours / theirs, "s", "float64 sum")]


def main() -> None:
    """Measure and publish."""
    torch.set_num_threads(1)
    publish("loop", [*recomputation(), *optimisers(), *averaging()])


if __name__ == "__main__":
    main()
