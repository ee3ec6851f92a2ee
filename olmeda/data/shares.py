"""Shares of a budget: how much each source may give, and which of its documents go in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from pydantic import Field

from olmeda.base.config import Config
from olmeda.base.errors import ConfigError, unknown
from olmeda.data.batch import TextBatch
from olmeda.data.lottery import draw
from olmeda.data.taggers.characters import pretokens

Unit = Literal["pretokens", "bytes", "documents"]


class Budget(Config, frozen=True):
    """The most that a mix may hold. ``pretokens`` are matches of ``\\w+|[^\\w\\s]+``."""

    unit: Unit = "pretokens"
    amount: int = Field(gt=0)


def sizes_of(texts: Sequence[str], unit: Unit) -> np.ndarray:
    """The size of each text in ``unit``, int64 [D]."""
    if unit == "documents":
        return np.ones(len(texts), np.int64)
    batch = TextBatch.of(texts)
    return batch.bytes if unit == "bytes" else pretokens(batch)


def chosen_shares(
    wanted: Literal["declared"] | Mapping[str, float],
    declared: Mapping[str, float],
    sources: Sequence[str],
) -> dict[str, float]:
    """The share of each source, summing to 1; empty if nobody asked for any.

    Raises ConfigError unless every source has a share and some share is positive.
    """
    shares = dict(declared if wanted == "declared" else wanted)
    if not shares:
        return {}
    for source in shares:
        if source not in sources and wanted != "declared":
            raise ConfigError(f"shares: {unknown('source', source, sources)}")
    if missing := [source for source in sources if source not in shares]:
        raise ConfigError(f"shares: {missing[0]!r} has none; give every source one, 0 for nothing")
    total = sum(shares[source] for source in sources)
    if total <= 0 or min(shares.values()) < 0:
        raise ConfigError("shares: none may be negative, and one at least must be positive")
    return {source: shares[source] / total for source in sources}


def allowances(
    amount: int, available: Mapping[str, int], shares: Mapping[str, float]
) -> dict[str, int]:
    """The most each source may give: its share of ``amount``, or without shares its proportion.

    What a source cannot fill is not given to the others: the mix keeps its proportions as near as
    the text allows and ends below ``amount``.
    """
    if shares:
        return {source: int(amount * shares[source]) for source in available}
    total = max(1, sum(available.values()))
    if total <= amount:
        return dict(available)
    return {source: amount * held // total for source, held in available.items()}


def select(ids: Sequence[str], sizes: Sequence[int], allowance: int, seed: int) -> set[str]:
    """The ids that go in: in an order drawn by lot, until the next would not fit.

    Documents larger than the whole allowance are passed over.
    """
    order = sorted(range(len(ids)), key=lambda i: (draw(seed, f"share {ids[i]}"), ids[i]))
    taken: set[str] = set()
    left = allowance
    for index in order:
        if sizes[index] > allowance:
            continue
        if sizes[index] > left:
            break
        left -= sizes[index]
        taken.add(ids[index])
    return taken
