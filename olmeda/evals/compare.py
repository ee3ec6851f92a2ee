"""evals.compare: arms of an experiment against each other, over seeds and over documents.

An arm is one way of doing something (a data set, a setting), trained several times with different
seeds. Two intervals are told, because they answer two questions: over seeds (Student's t), whether
another training run would give the same; over documents (bootstrap), whether other held-out text
would. Differences are paired: by seed, and by document.

Shapes: ``K`` seeds, ``D`` documents, ``B`` bootstrap draws.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
import polars as pl
from pydantic import Field, model_validator

from olmeda.artifacts.estimate import STUDENT_T, Estimate, estimated, over_seeds, resampled_means
from olmeda.artifacts.lineage import Making
from olmeda.artifacts.scores import WHOLE, Score, Scores, write_scores
from olmeda.artifacts.tokenset import TokenSet
from olmeda.artifacts.verb import verb
from olmeda.base.config import ArtifactPath, Config
from olmeda.base.errors import ConfigError, InputError, unknown
from olmeda.base.files import write_bytes, write_json
from olmeda.evals.perplexity import RATER, SCORER

PREFIX = "heldout/"
ALL = "all"


class CompareConfig(Config, frozen=True):
    """``arms``: name -> systems, one a seed, in the same order of seeds in every arm."""

    scores: list[ArtifactPath] = Field(min_length=1)
    """Made by ``evals.perplexity``."""
    tokens: ArtifactPath
    """The held-out token set that they were measured on."""
    arms: dict[str, list[str]] = Field(min_length=2)
    baseline: str | None = None
    """The arm that others are held against; the first where left out."""
    seed: int = 0

    @model_validator(mode="after")
    def _arms_fit(self) -> CompareConfig:
        sizes = {name: len(systems) for name, systems in self.arms.items()}
        if len(set(sizes.values())) > 1:
            raise ValueError(f"arms: differences are paired by seed, but seeds are {sizes}")
        if not 1 <= len(next(iter(self.arms.values()))) <= len(STUDENT_T) + 1:
            raise ValueError(f"arms: from 1 to {len(STUDENT_T) + 1} seeds can be compared")
        if self.baseline is not None and self.baseline not in self.arms:
            raise ValueError(f"baseline: {unknown('arm', self.baseline, self.arms)}")
        return self


class Cell(msgspec.Struct, frozen=True):
    """One figure with both intervals; ``seeds`` has none where there is one seed."""

    seeds: Estimate
    documents: Estimate


class Line(msgspec.Struct, frozen=True):
    """One arm on one source: bits per byte, and how many more than the baseline's."""

    arm: str
    source: str
    bits_per_byte: Cell
    difference: Cell | None


@verb("evals.compare", makes="scores")
def compare(config: CompareConfig, making: Making) -> None:
    """Compare arms of an experiment over seeds and documents.

    Writes ``table.json`` and ``table.md``. Raises ConfigError for a system without scores,
    InputError where systems were measured on different documents.
    """
    frame = Scores.join(config.scores).filter(
        (pl.col("scorer") == SCORER)
        & pl.col("task").str.starts_with(PREFIX)
        & (pl.col("item") != WHOLE)
    )
    sizes = TokenSet.open(config.tokens).documents.select("source", "id", "bytes")
    baseline = config.baseline or next(iter(config.arms))
    bits, bytes_D, source_D = _bits(frame, sizes, config.arms)
    lines: list[Line] = []
    for number, source in enumerate([*dict.fromkeys(source_D.tolist()), ALL]):
        here = source_D == source if source != ALL else np.full(len(source_D), True)
        held = {arm: bits_KD[:, here] for arm, bits_KD in bits.items()}
        lines += lines_of(source, held, bytes_D[here], baseline, config.seed, number)
    write_json(making.path / "table.json", {"baseline": baseline, "lines": lines})
    text = as_markdown(lines, baseline)
    write_bytes(making.path / "table.md", f"{text}\n".encode())
    making.counts["rows"] = write_scores(
        making.path,
        [Score(x.arm, f"{PREFIX}{x.source}", WHOLE, SCORER, x.bits_per_byte.seeds.value, RATER)
         for x in lines],
    )  # fmt: skip
    making.counts |= {"documents": len(bytes_D), "seeds": len(config.arms[baseline])}


def _bits(
    frame: pl.DataFrame, sizes: pl.DataFrame, arms: Mapping[str, Sequence[str]]
) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """Bits ``[K, D]`` of each arm's systems for each document; the documents' bytes and sources."""
    systems = [s for of_arm in arms.values() for s in of_arm]
    known = frame["system"].unique().sort().to_list()
    for system in systems:
        if system not in known:
            raise ConfigError(f"arms: {unknown('system with scores', system, known)}")
    named = sizes.with_columns(task=PREFIX + pl.col("source")).rename({"id": "item"})
    wide = (
        frame.filter(pl.col("system").is_in(systems))
        .pivot("system", index=["task", "item"], values="value", sort_columns=True)
        .join(named, on=["task", "item"], how="inner", maintain_order="right")
    )
    if not len(wide) or wide.select(systems).null_count().sum_horizontal()[0]:
        raise InputError("the systems were measured on different documents; measure them together")
    bytes_D = wide["bytes"].to_numpy().astype(np.float64)
    bits = {arm: wide.select(names).to_numpy().T * bytes_D for arm, names in arms.items()}
    return bits, bytes_D, wide["source"].to_numpy()


def lines_of(
    source: str,
    bits: Mapping[str, np.ndarray],
    bytes_D: np.ndarray,
    baseline: str,
    seed: int,
    number: int,
) -> list[Line]:
    """One line for each arm; ``bits`` are ``[K, D]``, ``number`` is that of the source."""
    lines = []
    for arm, bits_KD in bits.items():
        against = None
        if arm != baseline:
            against = cell(bits_KD - bits[baseline], bytes_D, seed, number)
        lines.append(Line(arm, source, cell(bits_KD, bytes_D, seed, number), against))
    return lines


def cell(bits_KD: np.ndarray, bytes_D: np.ndarray, seed: int, number: int) -> Cell:
    """Bits over bytes, with intervals over seeds and over documents."""
    per_byte_K = bits_KD.sum(axis=1) / bytes_D.sum()
    drawn_2B = resampled_means(np.stack([bits_KD.mean(axis=0), bytes_D]), seed, number)
    value = float(per_byte_K.mean())
    documents = estimated(value, drawn_2B[0] / drawn_2B[1], len(bytes_D))
    return Cell(over_seeds(per_byte_K), documents)


def as_markdown(lines: Sequence[Line], baseline: str) -> str:
    """Three tables: bits per byte, and differences with intervals over seeds and documents."""
    sources = list(dict.fromkeys(x.source for x in lines))
    n = {x.source: x.bits_per_byte.documents.n for x in lines}
    seeds = lines[0].bits_per_byte.seeds.n
    heads = [f"{s} ({n[s]})" for s in sources]
    values = {(x.arm, x.source): x.bits_per_byte.seeds for x in lines}
    apart = [x for x in lines if x.difference is not None]
    by_seed = {(x.arm, x.source): x.difference.seeds for x in apart if x.difference}
    by_document = {(x.arm, x.source): x.difference.documents for x in apart if x.difference}
    parts = [
        (f"Bits per byte, mean of {seeds} seeds [95 % over seeds]; (documents)", values, ""),
        (f"Difference to {baseline}, paired by seed [95 % over seeds]", by_seed, "+"),
        ("The same [95 % over documents]", by_document, "+"),
    ]  # fmt: skip
    return "\n\n".join(_table(title, heads, sources, cells, sign) for title, cells, sign in parts)


def _table(
    title: str,
    heads: Sequence[str],
    sources: Sequence[str],
    cells: Mapping[tuple[str, str], Estimate],
    sign: str,
) -> str:
    rows = [f"{title}\n", f"| arm | {' | '.join(heads)} |", "|---" * (len(heads) + 1) + "|"]
    for arm in dict.fromkeys(arm for arm, _ in cells):
        shown = [_shown(cells[arm, source], sign) for source in sources]
        rows.append(f"| {arm} | {' | '.join(shown)} |")
    return "\n".join(rows)


def _shown(found: Estimate, sign: str) -> str:
    value = f"{found.value:{sign}.4f}"
    if not math.isfinite(found.low):
        return value
    return f"{value} [{found.low:{sign}.4f}, {found.high:{sign}.4f}]"
