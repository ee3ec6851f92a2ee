"""Sessions are blind, shuffled for each rater, and dealt with an overlap."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from olmeda.artifacts.lineage import Lineage
from olmeda.base.errors import ConfigError, InputError
from olmeda.base.files import write_rows
from olmeda.rubric.prepare import PrepareConfig, prepare
from olmeda.rubric.session import Session, deal, read_key

from .conftest import TASK, Prepare, outputs


def test_what_raters_see_names_no_system(make_session: Prepare) -> None:
    folder = make_session()
    seen = (folder / "units.jsonl").read_text() + (folder / "session.json").read_text()
    for name in ("alpha", "beta", "Human"):
        assert name not in seen
    key = read_key(folder)
    assert len(key) == 18
    assert {a.system for a in key} == {"alpha", "beta", "Human"}


def test_running_ids_do_not_follow_the_systems(make_session: Prepare) -> None:
    by_system: dict[str, list[int]] = {}
    for author in read_key(make_session()):
        by_system.setdefault(author.system, []).append(int(author.unit[1:]))
    ranges = [(min(v), max(v)) for v in by_system.values()]
    assert max(low for low, _ in ranges) < min(high for _, high in ranges)


def test_equal_texts_are_one_unit_with_two_authors(make_session: Prepare) -> None:
    folder = make_session()
    session = Session.open(folder)
    assert len(session.units) == 17
    same = next(u.id for u in session.units.values() if u.text == "the same words")
    assert [a.system for a in read_key(folder) if a.unit == same] == ["alpha", "beta"]


def test_order_is_the_raters_own_and_keeps_items_together(make_session: Prepare) -> None:
    session = Session.open(make_session(raters=1))
    ann, bob = session.order("ann", 0), session.order("bob", 1)
    assert ann == session.order("ann", 0)
    assert ann != bob
    assert sorted(ann) == sorted(bob) == sorted(session.units)
    items = [session.units[u].item for u in ann]
    assert len({i for i, before in zip(items, [None, *items]) if i != before}) == 6
    assert sum(i != before for i, before in zip(items, [None, *items])) == 6


def test_overlap_items_go_to_all_and_the_rest_to_one(make_session: Prepare) -> None:
    session = Session.open(make_session(raters=2, raters_overlap=0.34))
    items = [{session.units[u].item for u in session.order(n, s)} for n, s in (("a", 0), ("b", 1))]
    assert len(session.plan.shared) == 3
    assert items[0] & items[1] == set(session.plan.shared)
    assert items[0] | items[1] == {f"i{i}" for i in range(6)}


@given(st.integers(1, 40), st.integers(1, 5), st.floats(0, 1), st.integers(0, 9))
def test_every_item_is_dealt_once_or_shared(
    count: int, raters: int, overlap: float, seed: int
) -> None:
    items = [f"i{n}" for n in range(count)]
    plan = deal(items, raters, overlap, np.random.default_rng(seed))
    assert sorted([*plan.shared, *(i for part in plan.dealt for i in part)]) == sorted(items)
    assert len(plan.dealt) == raters
    assert max(map(len, plan.dealt)) - min(map(len, plan.dealt)) <= 1


def test_same_settings_give_the_same_bytes_and_another_seed_another_blinding(
    make_session: Prepare,
) -> None:
    digests = [
        Lineage.open(make_session(f"run/{n}", seed=seed)).digest
        for n, seed in (("a", 1), ("b", 1), ("c", 2))
    ]
    assert digests[0] == digests[1] != digests[2]


def test_drawn_items_and_systems_can_be_chosen(make_session: Prepare) -> None:
    folder = make_session(items=2, systems=["Human", "beta"], rubric="thumb")
    key = read_key(folder)
    assert {a.system for a in key} == {"Human", "beta"}
    assert len({a.item for a in key}) == 2
    assert Session.open(folder).rubric.name == "thumb"


def test_wrong_input_is_refused(make_session: Prepare, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no system called 'gamma'"):
        make_session(systems=["gamma"])
    with pytest.raises(ConfigError, match="no rubric called"):
        make_session(rubric="stars")
    twice = tmp_path / "twice"
    twice.mkdir()
    write_rows(twice / "outputs.jsonl", [*outputs(), outputs()[0]])
    with pytest.raises(InputError, match="answers item 'i0' twice"):
        prepare(PrepareConfig(outputs=[twice], task=TASK), tmp_path / "s")
    with pytest.raises(InputError, match="no task called 'test/generatoin'"):
        prepare(PrepareConfig(outputs=[twice], task="test/generatoin"), tmp_path / "s")
