"""A finished run in miniature: artifacts with made-up numbers, in the formats of their makers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec
import numpy as np
import polars as pl
import pyarrow as pa

from olmeda.artifacts.corpus import (
    LEDGER,
    CorpusWriter,
    Document,
    FunnelStage,
    write_ledger,
)
from olmeda.artifacts.examples import Output, Trio
from olmeda.artifacts.lineage import Making, Plan, record
from olmeda.artifacts.scores import Score, write_scores
from olmeda.artifacts.tokenset import (
    DOCUMENTS,
    TokenIndex,
    TokenShard,
    tokenizer_digest,
    write_index,
)
from olmeda.base.config import ArtifactPath, Config
from olmeda.base.files import write_json, write_rows
from olmeda.billboard.rank import RankConfig, rank
from olmeda.merge.compare import CompareConfig, SkillConfig, compare
from olmeda.reward.bench import BenchConfig, bench
from olmeda.reward.scoring import ScorerConfig
from olmeda.routing.findings import Sampling, find
from olmeda.routing.routes import Routes
from olmeda.routing.rows import rows
from olmeda.routing.summary import summarise
from olmeda.rubric.prepare import PrepareConfig, prepare

BITS = "bits_per_byte_cost"
SOURCES = ("topics", "docstrings", "code")
RULES = ("copies.duplicate_document == 1", "hold_out.held_out == 1", "gopher.word_count < 10")
Fill = Callable[[Making], None]


class MadeConfig(Config):
    """The configuration of a made-up step."""

    name: str
    seed: int = 17
    of: dict[str, ArtifactPath] = {}
    systems: dict[str, ArtifactPath] = {}


def artifact(
    out: Path,
    kind: str,
    verb: str,
    fill: Fill,
    inputs: Mapping[str, Path] | None = None,
    systems: Mapping[str, Path] | None = None,
) -> Path:
    """Write an artifact with a true lineage record."""
    plan = Plan.of(
        verb, kind, MadeConfig(name=out.name, of=dict(inputs or {}), systems=dict(systems or {}))
    )
    with record(out, plan, resumable=False, replace=False) as making:
        fill(making)
    return out


def corpus(
    out: Path, inputs: Mapping[str, Path] | None = None, sources: Sequence[str] = SOURCES
) -> Path:
    """A corpus, mixed (with funnel) where it has inputs."""

    def fill(making: Making) -> None:
        with CorpusWriter(making.path) as writer:
            for number, source in enumerate(sources):
                for i in range(3 + number):
                    writer.write(Document(f"{source}/{i}", "word " * (40 + i), source))
        if inputs:
            write_ledger(making.path, [pa.Table.from_pylist([], LEDGER)], funnel(sources))
        making.counts["documents"] = sum(3 + n for n in range(len(sources)))

    return artifact(out, "corpus", "data.mix" if inputs else "data.read", fill, inputs)


def funnel(sources: Sequence[str] = SOURCES) -> list[FunnelStage]:
    """Two stages for each source."""
    stages = []
    for n, source in enumerate(sources, 1):
        documents, characters = 1200 * n, 2_000_000 * n
        rules = FunnelStage(
            "rules", source, documents, documents - 150, characters, int(characters * 0.82),
            {RULES[0]: 40, RULES[1]: 100, RULES[2]: 10},
            {"copies.duplicate_paragraph": 321}, {"copies.duplicate_paragraph": 45_210},
        )  # fmt: skip
        budget = FunnelStage(
            "budget", source, documents - 150, documents - 400, int(characters * 0.82),
            int(characters * 0.55), {"over the budget": 250},
        )  # fmt: skip
        stages += [rules, budget]
    return stages


def tokenset(out: Path, text: Path, scale: int = 1) -> Path:
    """A token set of as many sources."""

    def fill(making: Making) -> None:
        (making.path / "tokenizer").mkdir()
        (making.path / "tokenizer" / "tokenizer.json").write_text("{}")
        (making.path / "shards").mkdir()
        shards, rows = [], []
        for n, source in enumerate(SOURCES, 1):
            count = 100 * n * scale
            np.zeros(count, "<u2").tofile(making.path / "shards" / f"{source}-00000.bin")
            shards.append(TokenShard(f"{source}-00000", source, count, 2))
            middle = count // 3
            spans = ((0, middle), (middle, count))
            rows += [(f"{source}-00000", a, b, f"{source}/{a}", source, (b - a) * 4, 0, "", a)
                     for a, b in spans]  # fmt: skip
        digest = tokenizer_digest(making.path / "tokenizer")
        index = TokenIndex("uint16", 4096, digest, {"eos": 0, "bos": 0, "pad": 1}, shards)
        write_index(making.path, index, [pl.DataFrame(rows, DOCUMENTS.names, orient="row")])
        making.counts["tokens"] = sum(s.tokens for s in shards)

    return artifact(out, "tokenset", "tokens.encode", fill, {"corpus": text})


def checkpoint(
    out: Path, verb: str, inputs: Mapping[str, Path], *, floor: float = 1.9, moe: bool = False,
    steps: int = 240, tokens: int = 983_040, sources: Sequence[str] = SOURCES,
) -> Path:  # fmt: skip
    """What training leaves behind, without weights."""

    def fill(making: Making) -> None:
        rng = np.random.default_rng(len(out.name))
        rows = []
        for step in range(steps + 1):
            row: dict[str, object] = {"step": step, "tokens": step * 4096}
            if step:
                row |= {"lr": 3e-3, "loss": floor + 6 * math.exp(-step / 40) + 0.1 * rng.random()}
                row["grad_norm"] = 0.5
            if step % 80 == 0:
                for n, source in enumerate(sources):
                    value = (1 + 0.13 * n) * (floor + 5 * math.exp(-step / 50)) / 1.4
                    row[f"heldout/{source}"] = value
                if moe:
                    row["load"] = [(rng.dirichlet([20.0] * 16)).tolist() for _ in range(4)]
            rows.append(row)
        lines = b"".join(msgspec.json.encode(row) + b"\n" for row in rows)
        (making.path / "progress.jsonl").write_bytes(lines)
        (making.path / "config.json").write_text(f'{{"name": "{out.name}"}}')
        speeds = [{"step": s, "seconds": 0.4, "tokens_per_second": 9000 + s} for s in range(9)]
        lines = b"".join(msgspec.json.encode(row) + b"\n" for row in speeds)
        (making.journal / "speed.jsonl").write_bytes(lines)
        making.counts |= {"tokens": tokens, "steps": steps,
                          "parameters": 5_400_000 if moe else 1_870_000,
                          "active_parameters": 1_950_000 if moe else 1_870_000}  # fmt: skip

    return artifact(out, "checkpoint", verb, fill, inputs)


WAYS = ("base", "general", "extraction", "generation", "continued-extraction",
        "continued-generation", "retrained")  # fmt: skip
WEIGHTS = (0.2, 0.4, 0.6, 0.8, 1.0)
FAMILIES = {
    "classification": "correct",
    "naming": "rouge",
    "extraction": "quality",
    "generation": "quality",
}


def answers(out: Path, systems: Mapping[str, Path], items: int = 30) -> Path:
    """Scores of every system and swept weight on four families and two splits."""
    swept = [f"{skill}-{w:.2f}" for skill in ("extraction", "generation") for w in WEIGHTS]

    def fill(making: Making) -> None:
        rng = np.random.default_rng(3)
        rows = []
        for split in ("validation", "test"):
            for family, scorer in FAMILIES.items():
                hard = rng.random(items)
                for system in [*systems, *swept, *(["Human"] if family == "generation" else [])]:
                    for i in range(items):
                        value = min(1.0, max(0.0, ability(system, family) + 0.3 * (hard[i] - 0.5)))
                        rater = f"checker:{family}"
                        rows.append(
                            Score(system, f"{split}/{family}", f"i{i}", scorer, value, rater)
                        )
        making.counts["rows"] = write_scores(making.path, rows)
        texts = [Output(s, "test/generation", f"i{i}", f"Say {i}.", f"It is {i}.", f"{s} says {i}.")
                 for s in [*systems, "Human"] for i in range(items)]  # fmt: skip
        write_rows(making.path / "outputs.jsonl", texts)

    return artifact(out, "scores", "evals.run", fill, None, systems)


def ability(system: str, family: str) -> float:
    """How good a system is at a family, between 0 and 1."""
    if system == "Human":
        return 0.98
    name, _, weight = system.rpartition("-")
    if name in ("extraction", "generation") and weight.replace(".", "").isdigit():
        w = float(weight)
        return 0.7 - 0.25 * w * w if family in ("classification", "naming") else (
            0.15 + 0.6 * w ** 0.5 if family == name else 0.15)  # fmt: skip
    known = {
        "base": 0.1, "general": 0.72 if family in ("classification", "naming") else 0.12,
        "retrained": 0.62, "extraction": 0.7 if family == "extraction" else 0.1,
        "generation": 0.7 if family == "generation" else 0.1,
        "continued-extraction": 0.68 if family == "extraction" else 0.4,
        "continued-generation": 0.68 if family == "generation" else 0.4,
    }  # fmt: skip
    return known[system]


def metrics(out: Path, scored: Path, systems: Sequence[str], items: int = 30) -> Path:
    """Automatic metrics of the generation task."""

    def fill(making: Making) -> None:
        rng = np.random.default_rng(5)
        rows = []
        for system in [*systems, "Human"]:
            for i in range(items):
                for metric, noise in (
                    ("bleu", 0.3),
                    ("chrf", 0.2),
                    ("rouge", 0.25),
                    ("length", 2.0),
                ):
                    value = ability(system, "generation") + noise * rng.standard_normal()
                    rows.append(
                        Score(system, "test/generation", f"i{i}", metric, value, f"metric:{metric}")
                    )
        making.counts["rows"] = write_scores(making.path, rows)

    return artifact(out, "scores", "billboard.measure", fill, {"outputs": scored})


def perplexity(out: Path, models: Mapping[str, Path], heldout: Path) -> Path:
    """Bits per byte of each document (two a source) and of each source."""

    def fill(making: Making) -> None:
        documents = pl.read_parquet(heldout / "documents.parquet")
        rows = []
        for n, name in enumerate(models):
            bits = [1.4 - 0.08 * n + 0.02 * i for i in range(len(documents))]
            held = documents.with_columns(bits=pl.Series(bits))
            for source, item, value in held.select("source", "id", "bits").rows():
                rows.append(
                    Score(name, f"heldout/{source}", item, BITS, value, "metric:likelihood")
                )
            for (task,), part in held.group_by("source", maintain_order=True):
                over = float((part["bits"] * part["bytes"]).sum() / part["bytes"].sum())
                rows.append(Score(name, f"heldout/{task}", "*", BITS, over, "metric:likelihood"))
            over = float((held["bits"] * held["bytes"]).sum() / held["bytes"].sum())
            rows.append(Score(name, "heldout", "*", BITS, over, "metric:likelihood"))
        write_scores(making.path, rows)

    return artifact(out, "scores", "evals.perplexity", fill, {"tokens": heldout}, models)


def routing(out: Path, model: Path, sources: Sequence[str] = SOURCES) -> Path:
    """Four layers of sixteen experts, two of them chosen, by a rule that leans on the token."""
    rng, tokens, documents = np.random.default_rng(11), 6_000, 60
    ids = rng.integers(0, 64, tokens)
    leaning = rng.gumbel(size=(tokens, 4, 16)) + 1.5 * rng.normal(size=(64, 4, 16))[ids]
    document = np.sort(np.arange(tokens) % documents)

    def routes(noise: float) -> Routes:
        keys = leaning + noise * rng.normal(size=leaning.shape)
        return Routes(
            chosen_NLK=np.argsort(-keys, -1)[..., :2], ids_N=ids, next_N=np.roll(ids, -1),
            predicted_N=(ids * 7) % 64, source_N=document % len(sources), document_N=document,
            sources=list(sources), layers=[0, 1, 2, 3], experts=16,
        )  # fmt: skip

    found = find(
        routes(0.0),
        {"quarter": routes(2.0), "half": routes(1.0)},
        Sampling(10, 20, 0.95, 0),
        [(0, 1), (1, 2), (2, 3)],
    )

    def fill(making: Making) -> None:
        write_json(making.path / "routing.json", summarise(model.name, found, _word))
        write_scores(making.path, rows(model.name, found))

    return artifact(out, "scores", "routing.analyse", fill, {"checkpoint": model})


def _word(ids: Sequence[int], skip_special: bool = True) -> str:
    return f" <b>{ids[0]}</b>\n"


def rewards(out: Path, pairs: int = 40) -> Path:
    """A reward bench of two baselines that need no model."""
    trios = [
        Trio(f"t{i}", f"Write {i}.", "word " * (3 + i % 4), "word " * (2 + i % 5),
             ("swapped", "renamed", "corrupted")[i % 3], ("bodies", "bodies", "signatures")[i % 3])
        for i in range(pairs)
    ]  # fmt: skip

    def fill(making: Making) -> None:
        making.counts["trios"] = write_rows(making.path / "test.jsonl", trios)

    held = artifact(out.with_name("trios"), "examples", "reward.trios", fill)
    scorers = [ScorerConfig(name="shorter-answer", kind="length", params={"shorter": True}),
               ScorerConfig(name="longer-answer", kind="length")]  # fmt: skip
    return bench(BenchConfig(trios=held, scorers=scorers, baseline="longer-answer"), out)


def build(
    run: Path, sources: Sequence[str] = SOURCES, items: int = 30, steps: int = 240
) -> dict[str, object]:
    """Every artifact of a run below ``run``; returns the settings of its report."""
    raw = corpus(run / "corpus", sources=sources)
    text = corpus(run / "text", {"corpus": raw}, sources)
    heldout_text = corpus(run / "heldout_text", {"corpus": raw}, sources)
    tokens = tokenset(run / "tokens", text, 40)
    heldout = tokenset(run / "heldout_tokens", heldout_text)
    pretraining = {"tokens": tokens, "heldout": heldout}
    dense = checkpoint(run / "dense", "train.run", pretraining, steps=steps, sources=sources)
    moe = checkpoint(run / "moe", "train.run", pretraining, floor=1.8, moe=True, sources=sources)
    bits = perplexity(run / "perplexity", {"dense": dense, "moe": moe}, heldout)
    tuned = {name: checkpoint(run / name, "tune.sft", {"base": dense}, steps=60, tokens=200_000)
             for name in WAYS[1:]}  # fmt: skip
    systems = {"base": dense, **tuned}
    scored = answers(run / "answers", systems, items)
    compare(compare_config(systems, scored), run / "merging")
    swept = [f"generation-{w:.2f}" for w in WEIGHTS]
    measured = metrics(run / "metrics", scored, [*systems, *swept], items)
    rank(RankConfig(scores=[measured, scored], task="test/generation", quality="quality",
                    resamples=200), run / "board")  # fmt: skip
    session = run / "session"
    prepare(PrepareConfig(outputs=[scored], task="test/generation", items=5), session)
    return {
        "corpus": raw, "text": text, "heldout_text": heldout_text, "tokens": tokens,
        "heldout_tokens": heldout, "models": {"dense": dense, "moe": moe}, "perplexity": bits,
        "routing": routing(run / "routing", moe, sources), "tuned": tuned,
        "merging": run / "merging", "reward": rewards(run / "rewards"), "board": run / "board",
        "session": session,
    }  # fmt: skip


def compare_config(systems: Mapping[str, Path], scored: Path) -> CompareConfig:
    """Both skills, each compared with continued training and retraining."""
    skills = {
        name: SkillConfig(family=[name], sweep=name, alone=[systems[name]],
                          continued=systems[f"continued-{name}"], retrained=systems["retrained"])
        for name in ("extraction", "generation")
    }  # fmt: skip
    return CompareConfig(
        scores=[scored], scorers=FAMILIES, general=["classification", "naming"], skills=skills,
        base=systems["base"], general_checkpoint=systems["general"],
    )  # fmt: skip
