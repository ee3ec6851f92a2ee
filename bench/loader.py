"""Batches from a token set: ours against ai2-olmo's loader on the same ids, one core.

Both draw shuffled instances and hand out torch tensors; the peer's run in an environment of their
own (``make peers``). What ai2-olmo has no counterpart for is held against the aim: fifty times the
12,000 tokens a second that the largest run on two cores consumes. Run with ``make bench
ROOM=loader``.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sysconfig
import tempfile
import time
from pathlib import Path
from typing import Any

from comparison import Row, publish

from olmeda.artifacts.corpus import CorpusWriter, Document
from olmeda.artifacts.lineage import Plan, check, record
from olmeda.artifacts.tokenset import TokenSet
from olmeda.base.config import Config
from olmeda.tokens.data_config import DataConfig
from olmeda.tokens.encode import EncodeConfig, encode
from olmeda.tokens.train import TrainConfig, train
from olmeda.train.batches import InstanceBatches, stages_of

PEERS = Path(__file__).parent / "work" / "torch-peers" / "bin" / "python"
AIM = 50 * 12_000.0
BATCH, BATCHES, RUNS = 16_384, 80, 7
"""Tokens of a batch, batches of a run, and runs."""
MIX = {"shares": {"code": 0.7, "tests": 0.3}}
WHOLE = {"packing": {"kind": "best_fit"}, "attention": "document"}
UNIT = "million tokens per CPU second"


def library(folder: Path) -> TokenSet:
    """Functions of the standard library as documents of two sources, in one file of ids."""
    home = Path(sysconfig.get_paths()["stdlib"])
    files = sorted(p for p in home.rglob("*.py") if "site-packages" not in p.parts)
    corpus, plan = folder / "corpus", Plan.of("data.read", "corpus", Config())
    with (
        record(corpus, plan, resumable=False, replace=False) as making,
        CorpusWriter(making.path) as out,
    ):
        for file in files:
            source = "tests" if "test" in file.as_posix() else "code"
            text = file.read_bytes().decode("utf-8", "replace")
            for number, part in enumerate(text.split("\n\n\n")):
                out.write(Document(f"{file.relative_to(home)}#{number}", part, source))
    settings = TrainConfig(corpus=corpus, vocab_size=4096, sample_bytes=2_000_000)
    tokenizer = train(settings, folder / "tokenizer")
    encoding = EncodeConfig(corpus=corpus, tokenizer=tokenizer, checked=0, shuffle=1)
    return TokenSet.open(encode(encoding, folder / "tokens"))


def ours(tokens: TokenSet, sequence: int, **settings: Any) -> float:
    """Million tokens a CPU second of the batches that a run would read."""
    data = DataConfig.model_validate({**settings, "verify": False})
    loader = data.build(tokens, sequence, seed=1)
    batches = InstanceBatches(loader, stages_of(loader, BATCH), BATCH)
    rates = []
    for run in range(RUNS + 1):
        began = time.process_time()
        for step in range(run * BATCHES, (run + 1) * BATCHES):
            batches.at(step)
        rates.append(BATCH * BATCHES / (time.process_time() - began) / 1e6)
    return statistics.median(rates[1:])


def theirs(tokens: TokenSet, sequence: int, documents: bool, repeats: bool, scratch: Path) -> float:
    """The same of ai2-olmo's loader."""
    (shard,) = tokens.index.shards
    rows = BATCH // sequence
    told = {
        "ids": str(tokens.path / "shards" / f"{shard.name}.bin"),
        "sequence": sequence,
        "rows": rows,
        "batches": BATCHES,
        "runs": RUNS,
        "documents": documents,
        "repeats": repeats,
        "eos": tokens.index.special["eos"],
        "scratch": str(scratch / f"{sequence}"),
    }
    script = Path(__file__).parent / "peers" / "olmo_loader.py"
    done = subprocess.run(
        [PEERS, script, json.dumps(told)], capture_output=True, text=True, check=True
    )
    seconds = json.loads(done.stdout.splitlines()[-1])
    return statistics.median(BATCH * BATCHES / taken / 1e6 for taken in seconds)


def compared(tokens: TokenSet, scratch: Path) -> list[Row]:
    """The rows that the peer has a counterpart for."""
    rows = []
    kinds: list[tuple[str, dict[str, Any], bool, bool]] = [
        ("chunks", {}, False, False),
        ("chunks, documents apart", {"attention": "document"}, True, False),
        ("chunks, repeats masked", {"repeats": {}}, False, True),
    ]
    for sequence in (256, 2048):
        for name, settings, documents, repeats in kinds:
            mine = ours(tokens, sequence, **settings)
            peer = theirs(tokens, sequence, documents, repeats, scratch)
            rows.append(Row(f"{name}, T {sequence}", mine, peer, mine / peer, UNIT, "ai2-olmo"))
    return rows


def aimed(tokens: TokenSet) -> list[Row]:
    """Everything against the aim."""
    rows = []
    kinds: list[tuple[str, dict[str, Any]]] = [
        ("chunks", {}),
        ("best fit, documents apart", WHOLE),
        ("mixture", {"mix": MIX}),
        ("mixture of best fit, repeats masked", {**WHOLE, "mix": MIX, "repeats": {}}),
    ]
    for sequence in (256, 2048):
        for name, settings in kinds:
            mine, aim = ours(tokens, sequence, **settings), AIM / 1e6
            rows.append(Row(f"{name}, T {sequence}", mine, aim, mine / aim, UNIT, "50 x 12,000"))
    began = time.process_time()
    check(tokens.path, "tokenset", contents=True)
    size = sum(p.stat().st_size for p in tokens.path.rglob("*") if p.is_file())
    rate, aim = size / (time.process_time() - began) / 1e6, 2 * AIM / 1e6
    rows.append(Row("digests before the first step", rate, aim, rate / aim, "MB per CPU second",
                    "50 x 12,000 ids"))  # fmt: skip
    return rows


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        tokens = library(Path(folder))
        print(f"{tokens.tokens:,} tokens in {len(tokens.documents):,} documents")
        rows = compared(tokens, Path(folder)) if PEERS.exists() else []
        publish("loader", [*rows, *aimed(tokens)])


if __name__ == "__main__":
    main()
