"""Training steps of dense models: ours against transformers, litgpt and ai2-olmo.

Every implementation runs in a process of its own, all by turns, on the same shapes; the measured
peak of matrix products stands beside them. Needs ``make peers``. Run with
``make bench ROOM=model``, or ``.venv/bin/python bench/model.py 256 512`` for some widths only.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch
from comparison import Row, publish

from olmeda.model.config import load_preset
from olmeda.model.flops import flops_per_token

HERE = Path(__file__).parent
PEERS_PYTHON = HERE / "work" / "torch-peers" / "bin" / "python"
PEERS = ("transformers", "litgpt", "ai2-olmo")
FIELDS = ("layers", "heads", "mlp_width", "vocab_size", "sequence", "rows")
SHAPES = {
    128: (4, 4, 384, 4096, 256, 16),
    256: (8, 8, 768, 8192, 512, 4),
    512: (8, 8, 1536, 8192, 512, 2),
    768: (8, 12, 2304, 8192, 512, 1),
}
THREADS = (1, 2)
ROUNDS, STEPS = 2, 3
"""Processes of each implementation and counted steps of each; the median is over both."""
MATRIX = 2048


def steps(name: str, shape: dict[str, int], threads: int) -> dict[str, Any]:
    """What one process of one implementation measured."""
    python = sys.executable if name == "olmeda" else str(PEERS_PYTHON)
    script = str(HERE / "peers" / "model_steps.py")
    arguments = [name, json.dumps(shape), str(threads), str(STEPS)]
    done = subprocess.run(
        [python, script, *arguments], stdout=subprocess.PIPE, text=True, check=True,
        env={**os.environ, "OMP_NUM_THREADS": str(threads), "HF_HUB_OFFLINE": "1"},
    )  # fmt: skip
    return json.loads(done.stdout.strip().splitlines()[-1])


def product_peak(threads: int) -> float:
    """GFLOP/s of torch's product of two square matrices: by CPU time, or the clock if parallel."""
    torch.set_num_threads(threads)
    square = torch.randn(MATRIX, MATRIX)
    taken = []
    for _ in range(6):
        clock = time.process_time if threads == 1 else time.perf_counter
        began = clock()
        square @ square
        taken.append(clock() - began)
    return 2 * MATRIX**3 / statistics.median(taken[1:]) / 1e9


def compare(width: int, threads: int) -> list[Row]:
    """Rows of one shape: speed against each peer and the peak, memory against each peer."""
    shape = {"width": width, **dict(zip(FIELDS, SHAPES[width], strict=True))}
    tokens = shape["rows"] * shape["sequence"]
    config = load_preset("tour-dense", **{k: v for k, v in shape.items() if k != "rows"})
    names = ("olmeda", *PEERS)
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    peaks = []
    for _ in range(ROUNDS):
        peaks.append(product_peak(threads))
        for name in names:
            runs[name].append(steps(name, shape, threads))
    assert len({run["parameters"] for of in runs.values() for run in of}) == 1, "shapes differ"
    clock = "cpu" if threads == 1 else "clock"
    speed = {
        name: tokens / statistics.median(t for run in of for t in run[clock])
        for name, of in runs.items()
    }
    memory = {name: max(run["memory"] for run in of) / 2**20 for name, of in runs.items()}
    label = f"d{width}, {threads} thread" + "s" * (threads > 1)
    unit = f"tokens per {'CPU second' if threads == 1 else 'second'}"
    rows = [
        Row(f"step {label}", speed["olmeda"], speed[p], speed["olmeda"] / speed[p], unit, p)
        for p in PEERS
    ]
    rate = speed["olmeda"] * flops_per_token(config, shape["sequence"]) / 1e9
    peak = max(peaks)
    rows.append(Row(f"step {label}", rate, peak, rate / peak, "GFLOP/s", "torch, 2048^3"))
    if threads == 1:
        rows += [
            Row(f"memory d{width}", memory["olmeda"], memory[p], memory["olmeda"] / memory[p],
                "MiB over start", p)
            for p in PEERS
        ]  # fmt: skip
    return rows


def main() -> None:
    """Measure the widths named, or all, and publish."""
    widths = [int(word) for word in sys.argv[1:]] or list(SHAPES)
    rows = [row for threads in THREADS for width in widths for row in compare(width, threads)]
    publish("model", rows)


if __name__ == "__main__":
    main()
