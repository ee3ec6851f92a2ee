"""Opening a checkpoint and reading every weight once, ours and transformers': CPU and peak memory.

Each opening runs in a process of its own, float32 in memory, from a file in float32 and from shards
in bfloat16; page caches are warm. Medians of five. Without reading, transformers has done
nothing yet where the types are equal: it maps the file, and its pages come in with the first use.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from comparison import Row, publish, rate

from olmeda.base.files import write_json
from olmeda.model import hf
from olmeda.model.config import load_preset
from olmeda.model.flops import parameters
from olmeda.model.transformer import Transformer

SHAPE = {"width": 1024, "mlp_width": 3072, "layers": 6, "heads": 16, "vocab_size": 32768}
RUNS = 5
PEER = "transformers"
OPENING = """
import json, re, sys, time
from pathlib import Path
def peak(name):
    return int(re.search(name + r":\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) * 1024
how, small, folder = sys.argv[1:]
if how == "ours":
    from olmeda.model import hf
    def opened(place): return hf.load(Path(place))
else:
    import torch
    from transformers import AutoModelForCausalLM
    def opened(place): return AutoModelForCausalLM.from_pretrained(place, dtype=torch.float32)
opened(small)  # imports are no part of it
before, began = peak("VmRSS"), time.process_time()
sum(float(weight.detach().sum()) for weight in opened(folder).parameters())
print(json.dumps([time.process_time() - began, peak("VmHWM") - before]))
"""


def measured(how: str, small: Path, folder: Path) -> tuple[float, float]:
    """``(CPU seconds, peak bytes over the start)`` of opening and reading ``folder``."""
    command = [sys.executable, "-c", OPENING, how, str(small), str(folder)]
    runs = []
    for _ in range(RUNS):
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        runs.append(json.loads(done.stdout.splitlines()[-1]))
    seconds, peaks = zip(*runs, strict=True)
    return statistics.median(seconds), statistics.median(peaks)


def main() -> None:
    """Make the checkpoints, open each both ways, publish the table."""
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        added = [{"id": 0, "content": "<|endoftext|>"}]
        write_json(root / "tokenizer" / "tokenizer.json", {"added_tokens": added})
        names = {"eos_token": "<|endoftext|>"}
        write_json(root / "tokenizer" / "tokenizer_config.json", names)
        small = Transformer.initialised(load_preset("tour-dense", layers=1), 0)
        hf.save(small, root / "small", root / "tokenizer")
        config = load_preset("tour-dense", **SHAPE)
        model = Transformer(config)
        with torch.no_grad():
            for weight in model.parameters():
                weight.fill_(0.01)
        size = 4 * parameters(config)
        rows: list[Row] = []
        for dtype, row, most in (
            ("float32", "float32, one file", 10**12),
            ("bfloat16", "bfloat16, shards", size // 16),
        ):
            folder = root / dtype
            hf.save(model, folder, root / "tokenizer", dtype=dtype, shard_bytes=most)  # type: ignore[arg-type]
            ours, peer = (measured(how, root / "small", folder) for how in ("ours", "peer"))
            rows.append(rate(size / 1e9, ours[0], peer[0], row, "GB/s", PEER))
            of_size = ours[1] / size, peer[1] / size
            rows.append(Row(f"{row}: peak", *of_size, ours[1] / peer[1], "of size", PEER))
        publish("checkpoints", rows)


if __name__ == "__main__":
    main()
