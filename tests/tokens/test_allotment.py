"""Whose turn it is: shares hold in every block, caps are kept, and the way back is right."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from olmeda.base.errors import ConfigError
from olmeda.tokens.allotment import BLOCK, Allotment, Share, apportion, capped, legs_of

SHARES = st.lists(st.floats(0.01, 1), min_size=3, max_size=3).map(tuple)
PLANS = st.tuples(
    st.lists(st.tuples(st.integers(1, 3000), SHARES), max_size=3),
    st.tuples(st.one_of(st.none(), st.integers(1, 3000)), SHARES),
).map(lambda p: [Share(n, s) for n, s in [*p[0], p[1]]])
MOST = st.lists(st.one_of(st.just(math.inf), st.integers(1, 2500)), min_size=3, max_size=3)


def test_quotas_are_the_nearest_whole_numbers_that_add_up() -> None:
    assert apportion([1, 1, 1], 10) == (4, 3, 3)
    assert apportion([0.7, 0.2, 0.1], 1024) == (717, 205, 102)
    assert capped([1, 1, 2], 12, [1, math.inf, 4]) == (1, 7, 4)
    assert capped([1, 0, 1], 12, [5, 100, 0]) == (5, 0, 0)


@settings(max_examples=100, deadline=None)
@given(plan=PLANS, most=MOST, seed=st.integers(0, 2**63))
def test_every_part_is_drawn_in_turn_within_its_cap_and_places_are_found_again(
    plan: list[Share], most: list[float], seed: int
) -> None:
    allotment = Allotment(legs_of(plan, most), seed)
    asked = sum(s.places or 0 for s in plan) + (4 * BLOCK if plan[-1].places is None else 0)
    places = np.arange(min(asked, allotment.places or asked))
    part_P, nth_P = allotment.draws(places)
    for before in (len(places), len(places) // 2, 0):
        drawn = np.bincount(part_P[:before], minlength=3)
        assert allotment.counts(before) == tuple(drawn.tolist())
    ended = allotment.places is not None and allotment.places == len(places)
    for part in range(3):
        mine = nth_P[part_P == part]
        assert len(mine) <= most[part]
        assert len(np.unique(mine)) == len(mine)
        if ended:
            assert np.array_equal(np.sort(mine), np.arange(len(mine)))
        found = allotment.places_of(part, mine)
        assert np.array_equal(found, places[part_P == part])
        assert len(mine) <= allotment.drawn(len(places))[part]
        assert mine.max(initial=-1) < allotment.drawn(len(places))[part]
    if allotment.places is not None and plan[-1].places is None:
        assert sum(most) == allotment.places, "the run ends when all parts have had their most"


def test_shares_hold_in_every_block_and_change_with_the_stage() -> None:
    plan = [Share(2 * BLOCK + 100, (3.0, 1.0)), Share(None, (0.0, 1.0))]
    allotment = Allotment(legs_of(plan, [math.inf, math.inf]), 5)
    part_P, _ = allotment.draws(np.arange(4 * BLOCK))
    counts = [int((part_P[at : at + BLOCK] == 0).sum()) for at in (0, BLOCK)]
    assert counts == [768, 768]
    assert (part_P[2 * BLOCK : 2 * BLOCK + 100] == 0).sum() == 75
    assert (part_P[2 * BLOCK + 100 :] == 1).all()
    assert allotment.places is None


def test_a_part_that_ends_leaves_its_share_to_the_others_in_proportion() -> None:
    allotment = Allotment(legs_of([Share(None, (2, 1, 1))], [500, math.inf, math.inf]), 5)
    part_P, _ = allotment.draws(np.arange(10 * BLOCK))
    assert (part_P == 0).sum() == 500
    assert (part_P[BLOCK:] == 1).sum() == (part_P[BLOCK:] == 2).sum() == 4.5 * BLOCK


def test_the_end_of_all_parts_is_told() -> None:
    allotment = Allotment(legs_of([Share(None, (2, 1))], [300, 10]), 5)
    assert allotment.places == 310
    with pytest.raises(ConfigError, match="give 310 instances, and the run asks for more"):
        allotment.draws(np.arange(300, 312))
    with pytest.raises(ConfigError, match="no part has a share"):
        Allotment(legs_of([Share(None, (1.0,))], [0]), 5)


def test_a_long_run_is_a_short_list() -> None:
    allotment = Allotment(legs_of([Share(10**12, (1, 2)), Share(None, (2, 1))], [math.inf] * 2), 0)
    assert len(allotment.legs) <= 3
    places = np.array([10**11, 10**12 + 5, 10**14])
    part_P, nth_P = allotment.draws(places)
    for place, part, nth in zip(places, part_P.tolist(), nth_P):
        assert allotment.places_of(part, np.array([nth])) == place


def test_a_ramp_in_short_steps_keeps_small_shares() -> None:
    steps = [0.03 + 0.03 * (n + 0.5) / 32 for n in range(32)]
    plan = [Share(10, (1 - s, s), goes_on=True) for s in steps] + [Share(None, (0.94, 0.06))]
    allotment = Allotment(legs_of(plan, [math.inf, math.inf]), 1)
    part_P, _ = allotment.draws(np.arange(320))
    found = np.cumsum(part_P == 1)[9::10]
    assert np.abs(found - np.cumsum(10 * np.array(steps))).max() < 1
