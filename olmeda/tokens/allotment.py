"""Which part of a mixture each place of the order draws from, as a pure function of the place.

Places are taken in blocks. In a block every part has a whole number of places, its quota, and a
keyed permutation spreads them, so that shares hold exactly over every block and by chance within.
The blocks of equal quotas that follow each other are one leg; shares that change begin a new one,
so that the whole run is a short list and any place is found by halving it, whichever way is asked.

Shapes: ``P`` places asked for.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from olmeda.base.errors import ConfigError
from olmeda.tokens.order import ordered, round_keys, unpermuted

BLOCK = 1024
"""Places of a block: shares are kept to 1/2048 of the whole."""
SALT = 0x6D6978  # sets these keys apart from those of epochs


@dataclass(frozen=True)
class Share:
    """Shares of the parts over so many places (None: for ever)."""

    places: int | None
    shares: tuple[float, ...]
    goes_on: bool = False
    """Whether what rounding left of the places before is made up for here: a step of a ramp."""


@dataclass(frozen=True)
class Leg:
    """Equal blocks from place ``first`` on, ``blocks`` of them (None: for ever)."""

    first: int
    blocks: int | None
    quotas: tuple[int, ...]
    before: tuple[int, ...]
    """Places that each part had before this leg."""

    @property
    def size(self) -> int:
        """Places of a block."""
        return sum(self.quotas)

    @property
    def end(self) -> float:
        """The place after its last."""
        return math.inf if self.blocks is None else self.first + self.blocks * self.size


def apportion(shares: Sequence[float], size: int) -> tuple[int, ...]:
    """``size`` places in proportion to ``shares``, by largest remainder; ties go to the first."""
    total = math.fsum(shares)
    exact = [size * share / total for share in shares]
    quotas = [math.floor(x) for x in exact]
    order = sorted(range(len(shares)), key=lambda i: (quotas[i] - exact[i], i))
    for i in order[: size - sum(quotas)]:
        quotas[i] += 1
    return tuple(quotas)


def capped(shares: Sequence[float], size: int, left: Sequence[float]) -> tuple[int, ...]:
    """``apportion``, but no part gets more than is left of it; the others take what it cannot.

    Fewer than ``size`` places come out where all parts together have no more.
    """
    quotas = [0] * len(shares)
    open_parts = [i for i, share in enumerate(shares) if share > 0 and left[i] > 0]
    while open_parts and size:
        given = apportion([shares[i] for i in open_parts], size)
        over = [i for i, quota in zip(open_parts, given) if quota > left[i]]
        if not over:
            for i, quota in zip(open_parts, given):
                quotas[i] = quota
            break
        for i in over:
            quotas[i] = int(left[i])
            size -= quotas[i]
        open_parts = [i for i in open_parts if i not in over]
    return tuple(quotas)


def legs_of(plan: Iterable[Share], most: Sequence[float]) -> tuple[Leg, ...]:
    """The legs of a plan in which part i has at most ``most[i]`` places (inf: any number).

    A part that has had its most ends, and its share goes to the others in proportion to theirs.
    """
    legs: list[Leg] = []
    place, before = 0, (0,) * len(most)

    def add(blocks: int | None, quotas: tuple[int, ...]) -> None:
        nonlocal place, before
        legs.append(Leg(place, blocks, quotas, before))
        times = blocks or 0
        place += times * sum(quotas)
        before = tuple(b + times * q for b, q in zip(before, quotas))

    owed = [0.0] * len(most)
    for stage in plan:
        shares, since = stage.shares, before
        if stage.goes_on and stage.places:
            total = math.fsum(shares)
            exact = [stage.places * s / total for s in shares]
            # a place at most: more was left by a part that ended, or by rounding of many blocks
            shares = tuple(max(e + min(max(o, -1), 1), 0.0) for e, o in zip(exact, owed))
        room: float = math.inf if stage.places is None else stage.places
        while room > 0:
            left = [most[i] - before[i] for i in range(len(most))]
            size = int(min(BLOCK, room))
            quotas = capped(shares, size, left)
            if not any(quotas):
                return tuple(legs)
            bounds = [left[i] // q for i, q in enumerate(quotas) if q and left[i] < math.inf]
            bounds += [room // size] if room < math.inf else []
            if not bounds:
                add(None, quotas)
                return tuple(legs)
            times = int(min(bounds)) if sum(quotas) == size else 1
            add(times, quotas)
            room -= times * sum(quotas)
        given = [b - s for b, s in zip(before, since)]
        owed = [w - g for w, g in zip(shares, given)] if stage.goes_on else [0.0] * len(most)
    return tuple(legs)


class Allotment:
    """The places of parts over a run; raises ConfigError where no part has any.

    ``places``: how many there are in all, None where they never end.
    """

    def __init__(self, legs: Sequence[Leg], seed: int) -> None:
        if not legs:
            raise ConfigError("data.mix: no part has a share from which instances could be drawn")
        self.legs, self.seed = tuple(legs), seed
        end = self.legs[-1].end
        self.places = None if end == math.inf else int(end)

    def draws(self, places_P: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """For each place its part, and how many places that part had before.

        Raises ConfigError for a place after the last.
        """
        part_P, nth_P = np.empty_like(places_P), np.empty_like(places_P)
        for leg, block, here in self._blocks(places_P):
            begin = leg.first + block * leg.size
            drawn = ordered(places_P[here] - begin, leg.size, self.seed, SALT, begin)
            bounds = np.cumsum(leg.quotas)
            part = np.searchsorted(bounds, drawn, "right")
            held = np.array(leg.before) + block * np.array(leg.quotas) - (bounds - leg.quotas)
            part_P[here], nth_P[here] = part, held[part] + drawn
        return part_P, nth_P

    def places_of(self, part: int, nth_N: np.ndarray) -> np.ndarray:
        """The places that give draw number ``nth`` of one part; -1 for draws that never come."""
        places_N = np.full(len(nth_N), -1, np.int64)
        befores = np.array([leg.before[part] for leg in self.legs])
        leg_N = np.searchsorted(befores, nth_N, "right") - 1
        quota_N = np.array([leg.quotas[part] for leg in self.legs])[leg_N]
        block_N, rank_N = np.divmod(nth_N - befores[leg_N], np.maximum(quota_N, 1))
        most = np.array([leg.blocks or np.iinfo(np.int64).max for leg in self.legs])
        comes_N = (quota_N > 0) & (block_N < most[leg_N])
        for number, block, here in _grouped(leg_N, block_N, np.flatnonzero(comes_N)):
            leg = self.legs[number]
            begin = leg.first + block * leg.size
            drawn = sum(leg.quotas[:part]) + rank_N[here]
            places_N[here] = begin + unpermuted(drawn, leg.size, round_keys(self.seed, SALT, begin))
        return places_N

    def drawn(self, place: int) -> tuple[int, ...]:
        """How many draws each part has had at most before ``place``: whole blocks are counted."""
        leg = self._leg(min(place, self.legs[-1].end - 1)) if place else self.legs[0]
        blocks = -(-(place - leg.first) // leg.size)
        blocks = blocks if leg.blocks is None else min(blocks, leg.blocks)
        return tuple(b + blocks * q for b, q in zip(leg.before, leg.quotas))

    def counts(self, place: int) -> tuple[int, ...]:
        """How many draws each part has had before ``place``."""
        leg = self._leg(place)
        begin = leg.first + (place - leg.first) // leg.size * leg.size
        part_P, _ = self.draws(np.arange(begin, place))
        some = np.bincount(part_P, minlength=len(leg.quotas))
        return tuple(int(n) for n in np.array(self.drawn(begin)) + some)

    def _leg(self, place: float) -> Leg:
        return self.legs[bisect.bisect_right(self.legs, place, key=lambda x: x.first) - 1]

    def _blocks(self, places_P: np.ndarray) -> Iterator[tuple[Leg, int, np.ndarray]]:
        """The legs and blocks that places lie in, each with which of the places."""
        if self.places is not None and len(places_P) and places_P.max() >= self.places:
            raise ConfigError(
                f"data.mix: the parts may be repeated so often that they give {self.places} "
                "instances, and the run asks for more; raise data.mix.repeat or train for less"
            )
        firsts = np.array([leg.first for leg in self.legs])
        leg_P = np.searchsorted(firsts, places_P, "right") - 1
        sizes = np.array([leg.size for leg in self.legs])
        block_P = (places_P - firsts[leg_P]) // sizes[leg_P]
        for number, block, here in _grouped(leg_P, block_P, np.arange(len(places_P))):
            yield self.legs[number], block, here


def _grouped(
    leg_P: np.ndarray, block_P: np.ndarray, among: np.ndarray
) -> Iterator[tuple[int, int, np.ndarray]]:
    """Each leg and block that places ``among`` all lie in, with those places, ascending."""
    order = among[np.lexsort((block_P[among], leg_P[among]))]
    new = (np.diff(leg_P[order]) != 0) | (np.diff(block_P[order]) != 0)
    for here in np.split(order, np.flatnonzero(new) + 1) if len(order) else ():
        yield int(leg_P[here[0]]), int(block_P[here[0]]), here
