"""The ``data`` block of a training run: how a token set becomes instances, and in which mixture."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from typing import Annotated, Literal, NamedTuple

import numpy as np
import polars as pl
from pydantic import Field, model_validator

from olmeda.artifacts.lineage import check
from olmeda.artifacts.tokenset import TokenSet
from olmeda.base.config import IMMATERIAL, Config
from olmeda.base.errors import ConfigError, nearest
from olmeda.base.files import digest_value
from olmeda.tokens.allotment import BLOCK, Allotment, Share, legs_of
from olmeda.tokens.best_fit import BestFit
from olmeda.tokens.instances import Sizes
from olmeda.tokens.loader import Part, TokenLoader
from olmeda.tokens.packing import Chunks, Packing
from olmeda.tokens.repeats import RepeatRule
from olmeda.tokens.stream import TokenStream

PlaceOf = Callable[[Sizes, int], int]


class Extent(NamedTuple):
    """The sizes of an order that is not yet built."""

    sequence: int
    instances: int


def steps_unknown(sizes: Sizes, step: int) -> int:
    """Where there is no run, no step has a place: raises ConfigError."""
    raise ConfigError("data.mix: only a run knows its steps; end stages by until_tokens")


RAMP_STEPS = 32
"""Shares that move do so in so many steps."""


class ChunkPacking(Config, frozen=True):
    """Documents end to end, cut every so many tokens."""

    kind: Literal["chunks"] = "chunks"

    def build(self, stream: TokenStream, sequence: int) -> Packing:
        """The instances of one stream."""
        return Chunks(stream, sequence)


class BestFitPacking(Config, frozen=True):
    """Whole documents together in an instance, cut only where longer than one."""

    kind: Literal["best_fit"]
    window: int = Field(default=1024, ge=1)
    """Documents that are packed together."""

    def build(self, stream: TokenStream, sequence: int) -> Packing:
        """The instances of one stream."""
        return BestFit(stream, sequence, self.window)


class PartConfig(Config, frozen=True):
    """Some documents of the set: of sources that match a pattern, of so many tokens."""

    sources: tuple[str, ...] = ("*",)
    min_tokens: int = Field(default=0, ge=0)
    max_tokens: int | None = Field(default=None, ge=1)

    def chosen(self, documents: pl.DataFrame) -> np.ndarray:
        """Which documents, bool, a row of ``TokenSet.documents`` each."""
        names = documents["source"].unique().to_list()
        wanted = [n for n in names if any(fnmatchcase(n, p) for p in self.sources)]
        most = math.inf if self.max_tokens is None else self.max_tokens
        fits = pl.col("tokens").is_between(self.min_tokens, most)
        return documents.select(pl.col("source").is_in(wanted) & fits).to_series().to_numpy()


class StageConfig(Config, frozen=True):
    """Shares of parts until the run has seen so many tokens or steps; the last stage has no end.

    ``ramp``: shares move evenly from those of the stage before to these.
    """

    shares: dict[str, Annotated[float, Field(ge=0)]]
    until_tokens: float | None = Field(default=None, gt=0)
    until_steps: int | None = Field(default=None, gt=0)
    ramp: bool = False


class MixConfig(Config, frozen=True):
    """Parts and their shares of all tokens. Parts are the sources, unless they are given."""

    parts: dict[str, PartConfig] = {}
    shares: dict[str, Annotated[float, Field(ge=0)]] = {}
    """From beginning to end; or ``stages``."""
    stages: tuple[StageConfig, ...] = ()
    repeat: dict[str, Annotated[float, Field(gt=0)]] = {}
    """A part ends after so many epochs of its own; its share goes to the others."""

    @model_validator(mode="after")
    def _one_way_and_in_order(self) -> MixConfig:
        if bool(self.shares) == bool(self.stages):
            raise ValueError("give shares, or stages with shares of their own")
        *before, last = self.stages or (StageConfig(shares=self.shares),)
        ends = [(s.until_tokens is not None) + (s.until_steps is not None) for s in before]
        if set(ends) - {1} or last.until_tokens is not None or last.until_steps is not None:
            raise ValueError(
                "every stage but the last has until_tokens or until_steps, and the last has neither"
            )
        if (self.stages and self.stages[0].ramp) or last.ramp:
            raise ValueError(
                "a ramp leads from the stage before to an end: not in the first or last"
            )
        return self


class DataConfig(Config, frozen=True):
    """How tokens become what a model reads."""

    packing: Annotated[ChunkPacking | BestFitPacking, Field(discriminator="kind")] = ChunkPacking()
    attention: Literal["row", "document"] = "row"
    """What a token sees: all that stands before it in its row, or of that its own document."""
    mix: MixConfig | None = None
    repeats: RepeatRule | None = None
    """Mask instances that repeat themselves; ``{}`` is OLMo 2's rule."""
    verify: Annotated[bool, IMMATERIAL] = True
    """Read all ids once before the first step and hold them against the digests of the set."""

    def build(
        self, tokenset: TokenSet, sequence: int, seed: int, place_of: PlaceOf = steps_unknown
    ) -> TokenLoader:
        """The instances of a token set, in order.

        ``place_of(sizes, step)``: the place at which a step begins, for stages that end with one.
        Raises ArtifactError for a set that changed, ConfigError for one that is too small or has
        not what the mixture names.
        """
        if self.verify:
            check(tokenset.path, "tokenset", contents=True)
        if self.mix is None:
            whole = self.packing.build(TokenStream(tokenset), sequence)
            parts: tuple[Part, ...] = (Part("", whole),)
            allotment = None
        else:
            parts = tuple(self._parts(self.mix, tokenset, sequence))
            allotment = _allotted(self.mix, parts, sequence, seed, place_of)
        return TokenLoader(
            tokenset,
            sequence,
            seed,
            parts,
            allotment,
            inside_documents=self.attention == "document",
            rule=self.repeats,
        )

    def _parts(self, mix: MixConfig, tokenset: TokenSet, sequence: int) -> Iterator[Part]:
        documents = tokenset.documents.select("source", "tokens")
        parts = mix.parts or {s: PartConfig(sources=(_exactly(s),)) for s in tokenset.sources}
        stages = [s.shares for s in mix.stages] or [mix.shares]
        for name in dict.fromkeys(name for held in (*stages, mix.repeat) for name in held):
            if name not in parts:
                near = nearest(name, list(parts), 5)
                raise ConfigError(
                    f"data.mix: no part is called {name!r}; {tokenset.path} has "
                    f"{', '.join(near or list(parts)[:5])}"
                )
        for name in parts:
            if not any(shares.get(name, 0) for shares in stages):
                continue
            chosen = np.flatnonzero(parts[name].chosen(documents))
            try:
                packing = self.packing.build(TokenStream(tokenset, chosen), sequence)
            except ConfigError as problem:
                raise ConfigError(f"data.mix: part {name!r}: {problem}") from None
            yield Part(name, packing, (int(digest_value(name)[:15], 16),))


def _exactly(source: str) -> str:
    """A pattern that only this name matches."""
    return "".join(f"[{c}]" if c in "*?[" else c for c in source)


def _allotted(
    mix: MixConfig, parts: tuple[Part, ...], sequence: int, seed: int, place_of: PlaceOf
) -> Allotment:
    most = [mix.repeat.get(p.name, math.inf) * p.packing.instances for p in parts]
    most = [math.floor(m) if m < math.inf else m for m in most]
    for part, limit in zip(parts, most):
        if limit < 1:
            raise ConfigError(
                f"data.mix.repeat: {mix.repeat[part.name]:g} of the {part.packing.instances} "
                f"instances of {part.name!r} is less than one; raise it, or give it no share"
            )
    stages = mix.stages or (StageConfig(shares=mix.shares),)
    plan: list[Share] = []
    place, before = 0, [0.0]
    for stage in stages:
        shares = [stage.shares.get(p.name, 0.0) for p in parts]
        if (total := math.fsum(shares)) <= 0:
            raise ConfigError("data.mix: the shares of a stage are all 0; give one part a share")
        shares = [share / total for share in shares]
        for part, share in zip(parts, shares):
            if 0 < share < 0.5 / BLOCK:
                raise ConfigError(
                    f"data.mix: a share of {share:.2g} for {part.name!r} is less than one instance "
                    f"in {2 * BLOCK}; give it more, or leave it out"
                )
        if stage is stages[-1]:
            plan.append(Share(None, tuple(shares)))
            break
        if stage.until_steps is not None:
            instances = sum(p.packing.instances for p in parts)
            end = place_of(Extent(sequence, instances), stage.until_steps)
        else:
            assert stage.until_tokens is not None
            end = round(stage.until_tokens / sequence)
        if end <= place:
            raise ConfigError(
                f"data.mix: a stage ends after {end * sequence} tokens, no later than the one "
                "before it; list stages in the order in which they end"
            )
        plan += (
            _ramped(end - place, before, shares)
            if stage.ramp
            else [Share(end - place, tuple(shares))]
        )
        place, before = end, shares
    return Allotment(legs_of(plan, most), seed)


def _ramped(places: int, since: list[float], to: list[float]) -> Iterator[Share]:
    """Shares that move from ``since`` to ``to`` over so many places, step by step."""
    for step in range(RAMP_STEPS):
        size = places * (step + 1) // RAMP_STEPS - places * step // RAMP_STEPS
        way = (step + 0.5) / RAMP_STEPS
        shares = tuple(a + (b - a) * way for a, b in zip(since, to))
        yield Share(size, shares, goes_on=True)
