"""Time of a training step per token against width, depth, sequence and experts; ours alone.

One of the four changes, the rest stays at width 256, 4 layers, 512 tokens, a vocabulary of 4096,
2048 tokens a step. Each figure is the median of ``RUNS`` steps on one thread, in CPU time. Run with
``make bench ROOM=cost_curves``; bench/results/cost_curves.json takes the rows.
"""

from __future__ import annotations

import json
import statistics
import time
from typing import Any

import torch
from comparison import RESULTS

from olmeda.model.config import ModelConfig, load_preset
from olmeda.model.flops import flops_per_token
from olmeda.model.loss import lm_loss
from olmeda.model.transformer import Transformer

RUNS = 5
TOKENS = 2048
BASE = {"width": 256, "layers": 4, "heads": 8, "mlp_width": 768, "vocab_size": 4096}
CURVES: dict[str, dict[int, dict[str, Any]]] = {
    "width": {w: {"width": w, "heads": w // 32, "mlp_width": 3 * w} for w in (128, 256, 512, 768)},
    "layers": {n: {"layers": n} for n in (2, 4, 8, 16)},
    "sequence": {n: {"sequence": n} for n in (128, 512, 1024, 2048)},
    "experts, 2 chosen": {
        n: {"mlp_width": 384, "experts": {"count": n, "chosen": 2}} for n in (2, 8, 32)
    },
}


def shape(values: dict[str, Any]) -> ModelConfig:
    """The configuration of one point of a curve."""
    preset = "tour-moe" if "experts" in values else "tour-dense"
    return load_preset(preset, **{**BASE, "sequence": 512, **values})


def step_seconds(config: ModelConfig) -> float:
    """The median CPU seconds of one step of ``TOKENS`` tokens."""
    model = Transformer.initialised(config, 1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
    generator = torch.Generator().manual_seed(1)
    rows = TOKENS // config.sequence
    ids = torch.randint(config.vocab_size, (rows, config.sequence + 1), generator=generator)
    taken = []
    for _ in range(RUNS + 2):
        began = time.process_time()
        parts = lm_loss(model, ids[:, :-1], ids[:, 1:].contiguous())
        (parts.nll_sum / parts.tokens).backward()
        optimizer.step()
        optimizer.zero_grad()
        taken.append(time.process_time() - began)
    return statistics.median(taken[2:])


def main() -> None:
    """Measure every point, print the table, write the rows."""
    torch.set_num_threads(1)
    rows = []
    print(f"{'varied':<18} {'value':>6} {'us/token':>9} {'MFLOP/token':>12} {'GFLOP/s':>8}")
    for name, points in CURVES.items():
        for value, values in points.items():
            config = shape(values)
            micro = step_seconds(config) / TOKENS * 1e6
            mega = flops_per_token(config, config.sequence) / 1e6
            print(f"{name:<18} {value:>6} {micro:>9.0f} {mega:>12.1f} {mega / micro * 1e3:>8.1f}")
            rows.append({"varied": name, "value": value, "us_per_token": micro, "mflop": mega})
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "cost_curves.json").write_text(json.dumps({"rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
