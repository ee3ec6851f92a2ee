"""Generation: tokens a second, ours against transformers on one model of 30 million parameters.

Weights are random, which is the hard case for guessing ahead: what an untrained model draws hangs
on differences that 8 bits often miss. Run with ``make bench ROOM=generation`` (one thread;
``OMP_NUM_THREADS=2`` for two), or ``bench/generation.py CHECKPOINT`` for a model of your own.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
import transformers
from comparison import Row, publish

from olmeda.model import hf
from olmeda.model.config import ModelConfig
from olmeda.model.decode import Decoder
from olmeda.model.generate import generate
from olmeda.model.transformer import Transformer

SHAPE = {"vocab_size": 8192, "width": 512, "layers": 6, "heads": 8, "mlp_width": 1536}
"""28.8 million parameters, 4.2 of them the embedding, of which a step reads one row."""
PROMPT, NEW, RUNS = 64, 96, 5
BATCHES = (1, 16)
DRAWN = {"temperature": 0.8, "top_p": 0.95}


def made(folder: Path) -> Path:
    """A checkpoint of random weights."""
    special = [{"id": 0, "content": "<|endoftext|>"}, {"id": 1, "content": "<|padding|>"}]
    names = {"bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>", "pad_token": "<|padding|>"}
    (folder / "tokenizer.json").write_text(json.dumps({"added_tokens": special}))
    (folder / "tokenizer_config.json").write_text(json.dumps(names))
    model = Transformer.initialised(ModelConfig(**SHAPE, sequence=1024), 1)
    hf.save(model, folder / "model", folder)
    return folder / "model"


def by_turns(works: list[Callable[[], object]], threads: int) -> list[float]:
    """Median seconds of each: CPU time on one thread, the clock on more."""
    clock = time.process_time if threads == 1 else time.perf_counter
    taken: list[list[float]] = [[] for _ in works]
    for run in range(RUNS + 1):
        for work, seconds in zip(works, taken, strict=True):
            began = clock()
            work()
            if run:
                seconds.append(clock() - began)
    return [statistics.median(seconds) for seconds in taken]


def compare(checkpoint: Path, threads: int) -> list[Row]:
    """Rows of each batch size, greedy and drawn."""
    ours = hf.load(checkpoint)
    theirs = transformers.AutoModelForCausalLM.from_pretrained(checkpoint).eval()
    generator = torch.Generator().manual_seed(0)
    rows = []
    for batch in BATCHES:
        ids_BT = torch.randint(2, ours.config.vocab_size, (batch, PROMPT), generator=generator)
        prompts, seen_BT = ids_BT.tolist(), torch.ones_like(ids_BT)
        fixed = {"max_new_tokens": NEW, "min_new_tokens": NEW, "pad_token_id": 1}
        for name, how in {"greedy": {}, "drawn": DRAWN}.items():
            decoder = Decoder(ours, batch)
            theirs.generation_config.eos_token_id = None

            def us(decoder=decoder, prompts=prompts, how=how):  # type: ignore[no-untyped-def]
                return generate(decoder, prompts, max_new_tokens=NEW, eos=-1, **how)

            def them(ids_BT=ids_BT, seen_BT=seen_BT, how=how, fixed=fixed):  # type: ignore[no-untyped-def]
                return theirs.generate(
                    ids_BT, attention_mask=seen_BT, do_sample=bool(how), top_k=0, **fixed, **how
                )

            if not how:
                found = them()[:, PROMPT:].tolist()
                same = sum(a == b for a, b in zip(us(), found, strict=True))
                print(f"batch {batch}: {same} of {batch} greedy texts equal transformers'")
            mine, peer = by_turns([us, them], threads)
            if decoder.guessed:
                print(f"batch {batch}, {name}: {decoder.right / decoder.guessed:.0%} guessed right")
            plural = "s" * (threads > 1)
            rows.append(
                Row(
                    f"{name}, batch {batch}, {threads} thread{plural}", batch * NEW / mine,
                    batch * NEW / peer, peer / mine,
                    f"tokens per {'CPU second' if threads == 1 else 'second'}",
                    f"transformers {transformers.__version__}",
                )
            )  # fmt: skip
    return rows


def main() -> None:
    """Measure and publish."""
    transformers.logging.set_verbosity_error()
    threads = int(os.environ.get("OMP_NUM_THREADS", "1"))
    torch.set_num_threads(threads)
    with tempfile.TemporaryDirectory() as folder:
        given = Path(sys.argv[1]) if len(sys.argv) > 1 else made(Path(folder))
        publish("generation", compare(given, threads))


if __name__ == "__main__":
    main()
