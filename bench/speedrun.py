"""Time to a fixed held-out loss: ours against ai2-olmo's OLMo 2 model trained with AdamW.

Both read the same tokens in the same batches in one order a seed, on this machine, in processes of
their own. The target is what the peer reaches, on average over seeds, at the end of its run at the
best of several learning rates; ours is as much shorter as it can be and still beat the target at
p < 0.05 (one-sided t test over seeds). Run with ``make bench ROOM=speedrun``.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from comparison import Row, publish
from scipy import stats

HERE = Path(__file__).parent
WORK = HERE / "work" / "speedrun"
PEER = HERE / "work" / "torch-peers" / "bin" / "python"
SHAPE = {"width": 128, "layers": 4, "heads": 4, "mlp_width": 384, "sequence": 256,
         "vocab_size": 4096, "rope_theta": 10000.0}  # fmt: skip
SEEDS = (1, 2, 3, 4, 5)
PEER_STEPS, ROWS = 400, 8
PEER_RATES = (3e-3, 6e-3, 1e-2)
OURS_STEPS = 220


def prepare() -> dict[str, Any]:
    """Tokens and held-out windows of ``recipes/sparse.yaml`` as plain arrays, for both."""
    from olmeda.artifacts.tokenset import TokenSet
    from olmeda.tokens.heldout import heldout_bytes, heldout_windows

    run = WORK / "text"
    subprocess.run(
        [sys.executable, "-m", "olmeda", "run", HERE.parent / "recipes" / "sparse.yaml",
         f"out={run}", "--until", "heldout_tokens"],
        check=True,
    )  # fmt: skip
    tokens, held = TokenSet.open(run / "tokens"), TokenSet.open(run / "heldout_tokens")
    # shards follow each other by source; chunks are shuffled by both trainers
    np.save(WORK / "ids.npy", np.concatenate([tokens.ids(s) for s in tokens.index.shards]))
    windows = list(heldout_windows(held, SHAPE["sequence"], 24_000))
    np.savez(
        WORK / "heldout.npz",
        ids=np.concatenate([ids for ids, _, _ in windows]),
        labels=np.concatenate([labels for _, labels, _ in windows]),
        bytes=sum(heldout_bytes(held, 24_000).values()),
    )
    return {
        "ids": str(WORK / "ids.npy"), "heldout": str(WORK / "heldout.npz"), "shape": SHAPE,
        "sequence": SHAPE["sequence"], "rows": ROWS, "threads": 1, "warmup": 20,
    }  # fmt: skip


def run_peer(settings: dict[str, Any]) -> dict[str, float]:
    """One run of the peer."""
    command = [PEER, HERE / "peers" / "olmo_train.py", json.dumps(settings)]
    return _result(subprocess.run(command, capture_output=True, text=True, check=True))


def run_ours(settings: dict[str, Any]) -> dict[str, float]:
    """One run of ours, in a process of its own."""
    command = [sys.executable, __file__, json.dumps(settings)]
    return _result(subprocess.run(command, capture_output=True, text=True, check=True))


def _result(done: subprocess.CompletedProcess[str]) -> dict[str, float]:
    found: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def train_ours(given: dict[str, Any]) -> dict[str, float]:
    """Train with the package's own loop on the arrays; seconds of the loop, and bits at its end."""
    import math
    import time
    from dataclasses import dataclass

    import torch

    from olmeda.model.config import ModelConfig
    from olmeda.model.loss import lm_loss
    from olmeda.model.transformer import Transformer
    from olmeda.train.duration import Position
    from olmeda.train.loop import train
    from olmeda.train.machine import prepare as prepare_machine
    from olmeda.train.rows import Rows, language_loss
    from olmeda.train.settings import LoopConfig

    prepare_machine(given["threads"], given["seed"])
    config = ModelConfig.model_validate({**given["shape"], **given.get("model", {})})
    model = Transformer.initialised(config, given["seed"])
    ids, length = np.load(given["ids"], mmap_mode="r"), given["sequence"]
    order = np.random.default_rng(given["seed"]).permutation((len(ids) - 1) // length)
    steps, rows = given["steps"], given["rows"]

    @dataclass(frozen=True)
    class Arrays:
        order_digest: str = ""

        def after(self, done: int) -> Position:
            return Position(done, done * rows * length, 0.0)

        def at(self, step: int) -> list[Rows]:
            chosen = order[step * rows : (step + 1) * rows]
            cut = np.stack([ids[n * length : n * length + length + 1] for n in chosen])
            batch = torch.from_numpy(cut.astype(np.int64))
            return [Rows(batch[:, :-1], batch[:, 1:], rows * length, rows * length)]

    loop = LoopConfig.model_validate({"steps": steps, "warmup": given["warmup"], **given["loop"]})
    optimizers, batches = loop.optim.build(model, loop.lr), Arrays()
    began = time.perf_counter()
    train(
        model,
        batches,
        language_loss(config),
        optimizers,
        rate=loop.rates(steps, batches.after),
        clip=loop.clips(batches.after),
        until=steps,
        every=(),
    )
    seconds, cpu = time.perf_counter() - began, time.process_time()
    held = np.load(given["heldout"])
    with torch.no_grad():
        nll = sum(
            float(lm_loss(model, i, t).nll_sum)
            for i, t in zip(torch.from_numpy(held["ids"]).split(16),
                            torch.from_numpy(held["labels"]).split(16), strict=True)
        )  # fmt: skip
    return {
        "seconds": seconds,
        "cpu_seconds": cpu,
        "bits": nll / float(held["bytes"]) / math.log(2),
    }


OURS: dict[str, Any] = {
    "model": {"zero_out": True},
    "loop": {"lr": 0.02, "optim": {"kind": "muon"}, "schedule": {"kind": "linear"}},
}


def main() -> None:
    """Find the peer's best rate, run both over seeds, test, publish."""
    settings = prepare()
    peer = {**settings, "steps": PEER_STEPS}
    tried = {lr: run_peer({**peer, "lr": lr, "seed": SEEDS[0]})["bits"] for lr in PEER_RATES}
    best = min(tried, key=lambda lr: tried[lr])
    print("peer, bits per byte by learning rate:", tried, "best", best)
    theirs = [run_peer({**peer, "lr": best, "seed": seed}) for seed in SEEDS]
    target = statistics.mean(run["bits"] for run in theirs)
    ours = [run_ours({**settings, **OURS, "steps": OURS_STEPS, "seed": seed}) for seed in SEEDS]
    test = stats.ttest_ind(
        [run["bits"] for run in ours], [run["bits"] for run in theirs],
        equal_var=False, alternative="less",
    )  # fmt: skip
    print(f"target {target:.4f}; peer {[round(r['bits'], 4) for r in theirs]}; "
          f"ours {[round(r['bits'], 4) for r in ours]}; p = {test.pvalue:.2g}")  # fmt: skip
    mine, other = (statistics.median(r["seconds"] for r in runs) for runs in (ours, theirs))
    bits = statistics.mean(run["bits"] for run in ours)
    name = "ai2-olmo 0.6.0, AdamW"
    publish(
        "speedrun",
        [
            Row("seconds to the target", mine, other, other / mine, "s, one thread", name),
            Row("bits per byte reached", bits, target, target / bits, "held out", name),
            Row("p, ours below the peer's", float(test.pvalue), 0.05, 0.0, "one-sided", "t test"),
        ],
    )


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(train_ours(json.loads(sys.argv[1]))))
    else:
        main()
