"""A blind rating session: what is rated, who rates which items, and in which order.

Layout of the artifact::

    session.json   the rubric, the seed, the items and to whom they are dealt
    units.jsonl    what raters see: a text under an id that tells nothing about its maker
    key.jsonl      which systems wrote the text of each unit; the page never reads it
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from olmeda.artifacts.examples import Output
from olmeda.artifacts.lineage import check
from olmeda.base.config import validated
from olmeda.base.files import digest_bytes, read_json, read_rows, write_json, write_rows
from olmeda.rubric.rubric import Rubric


class Unit(msgspec.Struct, frozen=True):
    """One distinct text about one item, blind."""

    id: str
    item: str
    prompt: str
    reference: str
    text: str


class Author(msgspec.Struct, frozen=True):
    """One line of the key: this system wrote the text of this unit."""

    unit: str
    system: str
    task: str
    item: str


class Plan(msgspec.Struct, frozen=True):
    """Which items everybody rates (``shared``), and which only the rater of each slot."""

    shared: list[str]
    dealt: list[list[str]]


class _Record(msgspec.Struct, frozen=True):
    rubric: dict[str, Any]
    task: str
    seed: int
    plan: Plan


@dataclass(frozen=True)
class Session:
    """An opened session, without its key."""

    path: Path
    digest: str
    rubric: Rubric
    task: str
    seed: int
    plan: Plan
    units: dict[str, Unit] = field(hash=False)

    @classmethod
    def open(cls, path: Path) -> Session:
        """Open the session at ``path``. Raises ArtifactError if it is unfinished or changed."""
        lineage = check(path, "session")
        record: _Record = read_json(path / "session.json", _Record)
        rubric = validated(Rubric, record.rubric, str(path / "session.json"))
        units = {unit.id: unit for unit in read_rows(path / "units.jsonl", Unit)}
        return cls(path, lineage.digest, rubric, record.task, record.seed, record.plan, units)

    def order(self, rater: str, slot: int) -> list[str]:
        """The ids of the units that a rater sees, in the rater's own order.

        Items are shuffled, and the texts of an item within it, by the seed and the rater's name;
        the texts of one item stay together, so that its source is read once.
        """
        items = [*self.plan.shared, *self.plan.dealt[slot % len(self.plan.dealt)]]
        texts: dict[str, list[str]] = {}
        for unit in self.units.values():
            texts.setdefault(unit.item, []).append(unit.id)
        rng = np.random.default_rng([self.seed, int(digest_bytes(rater.encode())[:16], 16)])
        found: list[str] = []
        for place in rng.permutation(len(items)):
            held = texts[items[place]]
            found += [held[i] for i in rng.permutation(len(held))]
        return found


def read_key(path: Path) -> list[Author]:
    """Who wrote what: for turning ratings into scores, never for the page."""
    return list(read_rows(path / "key.jsonl", Author))


def write_session(
    folder: Path,
    rubric: Rubric,
    task: str,
    seed: int,
    plan: Plan,
    units: Sequence[Unit],
    key: Sequence[Author],
) -> None:
    """Write the files of a session in the making."""
    record = _Record(rubric.settings(), task, seed, plan)
    write_json(folder / "session.json", record)
    write_rows(folder / "units.jsonl", units)
    write_rows(folder / "key.jsonl", key)


def blind_units(
    outputs: Sequence[Output], rng: np.random.Generator
) -> tuple[list[Unit], list[Author]]:
    """Units in random order under running ids, and the key.

    Equal texts about one item are one unit: rated once, counted for each of their systems.
    """
    written: dict[tuple[str, str], list[Output]] = {}
    for output in outputs:
        written.setdefault((output.item, output.text), []).append(output)
    groups = list(written.values())
    units: list[Unit] = []
    key: list[Author] = []
    for number, place in enumerate(rng.permutation(len(groups)), 1):
        first, id = groups[place][0], f"u{number:04d}"
        units.append(Unit(id, first.item, first.prompt, first.reference, first.text))
        key += [Author(id, o.system, o.task, o.item) for o in groups[place]]
    return units, sorted(key, key=lambda a: (a.unit, a.system))


def deal(items: Sequence[str], raters: int, overlap: float, rng: np.random.Generator) -> Plan:
    """Choose the share ``overlap`` of items for everybody and deal the rest round to ``raters``."""
    shuffled = [items[i] for i in rng.permutation(len(items))]
    shared = int(np.ceil(overlap * len(items))) if raters > 1 else len(items)
    rest = shuffled[shared:]
    return Plan(shuffled[:shared], [rest[slot::raters] for slot in range(raters)])
