"""What ``olmeda train plan`` foretells against small runs that are measured: memory and time.

Every run is a process of its own, one thread, fp32; the device of the plan is this machine: its
matrix products and its memory are measured first. Columns: the plan's figure as ours, the measured
one as peer. Run with ``make bench ROOM=plan``.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from typing import Any

from comparison import Row, publish

ROWS, SEQUENCE, VOCABULARY = 4, 512, 8192
DENSE = {"layers": 8, "heads": 8, "vocab_size": VOCABULARY, "sequence": SEQUENCE}
SPARSE = {"count": 8, "chosen": 2}
MODELS: dict[str, dict[str, Any]] = {
    "dense, width 128": {**DENSE, "width": 128, "heads": 4, "mlp_width": 384},
    "dense, width 256": {**DENSE, "width": 256, "mlp_width": 768},
    "dense, width 512": {**DENSE, "width": 512, "mlp_width": 1536},
    "dense, 16 layers": {**DENSE, "width": 256, "layers": 16, "mlp_width": 768},
    "2 of 8 experts, width 256": {**DENSE, "width": 256, "mlp_width": 384, "experts": SPARSE},
    "8 of 64 experts, width 256": {
        **DENSE,
        "width": 256,
        "layers": 4,
        "mlp_width": 128,
        "experts": {"count": 64, "chosen": 8},
    },
}


@dataclass(frozen=True)
class Measured:
    """Of one run: seconds of a step (median of five), and bytes over those before the model."""

    seconds: float
    bytes: float


def peak_and_bandwidth() -> tuple[float, float]:
    """FLOP/s of a product of 2048 square matrices, and bytes a second of adding arrays."""
    import torch
    from torch.utils.benchmark import Timer

    torch.set_num_threads(1)
    a, b = torch.randn(2048, 2048), torch.randn(2048, 2048)
    product = Timer("a @ b", globals={"a": a, "b": b}).blocked_autorange(min_run_time=2).median
    x, y = torch.randn(1 << 25), torch.randn(1 << 25)
    added = Timer("x.add_(y)", globals={"x": x, "y": y}).blocked_autorange(min_run_time=2).median
    return 2 * 2048**3 / product, 3 * 4 * x.numel() / added


def run_one(values: dict[str, Any]) -> Measured:
    """Train a few steps in this process; peak resident memory over that before the model."""
    import gc
    import statistics
    import time
    from pathlib import Path

    import torch

    from olmeda.model.config import ModelConfig
    from olmeda.model.transformer import Transformer
    from olmeda.train.optim import AdamW
    from olmeda.train.rows import Rows, language_loss
    from olmeda.train.step import train_step

    def resident(key: str) -> int:
        lines = Path("/proc/self/status").read_text().splitlines()
        return 1024 * int(next(s for s in lines if s.startswith(key)).split()[1])

    torch.set_num_threads(1)
    config = ModelConfig.model_validate(values)
    ids = torch.randint(config.vocab_size, (ROWS, SEQUENCE + 1))
    (torch.randn(256, 256) @ torch.randn(256, 256)).sum()
    gc.collect()
    before = resident("VmRSS")
    model = Transformer.initialised(config, 0)
    optimizers = AdamW().build(model, 1e-3)
    count = ROWS * SEQUENCE
    batch = [Rows(ids[:, :-1], ids[:, 1:], count, count)]
    taken = []
    for _ in range(7):
        began = time.perf_counter()
        train_step(model, batch, language_loss(config), optimizers, 1.0)
        taken.append(time.perf_counter() - began)
    return Measured(statistics.median(taken[2:]), resident("VmHWM") - before)


def foretold(values: dict[str, Any], peak: float, bandwidth: float) -> Measured:
    """What the plan says of the same run on this machine."""
    from olmeda.train.plan.config import PlanConfig
    from olmeda.train.plan.plan import plan

    device = {
        "products": {"fp32": peak},
        "memory": 2.4e10,
        "bandwidth": bandwidth,
        "efficiency": 0.97,
        "experts": 0.85,
        "attention": 0.6,
        "kernels": True,
    }
    config = {
        "model": values,
        "device": device,
        "precision": "fp32",
        "micro_rows": ROWS,
        "batch_tokens": ROWS * SEQUENCE,
    }
    held = plan(PlanConfig.model_validate(config))
    return Measured(held.step_seconds, held.memory_total)


def in_a_process(values: dict[str, Any]) -> Measured:
    """``run_one`` in a fresh process."""
    done = subprocess.run(
        [sys.executable, __file__, json.dumps(values)], capture_output=True, text=True, check=True
    )
    return Measured(**json.loads(done.stdout))


def main() -> None:
    """Foretell, measure, publish."""
    peak, bandwidth = peak_and_bandwidth()
    print(f"matrix products {peak / 1e9:.1f} GFLOP/s, memory {bandwidth / 1e9:.1f} GB/s")
    rows = []
    for name, values in MODELS.items():
        plan, run = foretold(values, peak, bandwidth), in_a_process(values)
        rows.append(
            Row(f"{name}: time", 1e3 * plan.seconds, 1e3 * run.seconds, plan.seconds / run.seconds,
                "ms a step", "measured"),
        )  # fmt: skip
        rows.append(
            Row(f"{name}: memory", plan.bytes / 1e6, run.bytes / 1e6, plan.bytes / run.bytes,
                "MB", "measured"),
        )  # fmt: skip
    publish("plan", rows)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(asdict(run_one(json.loads(sys.argv[1])))))
    else:
        main()
