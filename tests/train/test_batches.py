"""Batches as a plan: which instances a step reads, in which shape, whoever asks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from olmeda.base.errors import ConfigError
from olmeda.tokens.instances import Instances
from olmeda.train.batches import Draw, InstanceBatches, stages_of
from olmeda.train.duration import Duration
from olmeda.train.rows import Rows
from olmeda.train.settings import Change
from olmeda.train.world import World


@dataclass(frozen=True)
class Counting:
    """Place p holds the numbers p * sequence, ...; every third token of it is no target."""

    sequence: int = 12
    instances: int = 10
    order_digest: str = "counted"
    lengths: tuple[int, ...] | None = None

    def read(self, first: int, count: int) -> Instances:
        ids = np.arange(first * self.sequence, (first + count) * self.sequence)
        labels = np.where(ids % 3 == 0, -100, ids + 1)
        shape = (count, self.sequence)
        lengths = None if self.lengths is None else self.lengths * count
        return Instances(ids.reshape(shape), labels.reshape(shape), lengths)

    def spans(self, first: int, count: int) -> pl.DataFrame:
        raise NotImplementedError


def plan(
    batch: list[tuple[Any, int]] | None = None,
    sequence: list[tuple[Any, int]] | None = None,
    tokens: int = 24,
    micro: int = 24,
    loader: Any = None,
    world: World | None = None,
) -> InstanceBatches:
    loader, world = loader or Counting(), world or World()
    changes = [
        [Change.model_validate({"after": after, "tokens": size}) for after, size in given or []]
        for given in (batch, sequence)
    ]
    return InstanceBatches(loader, stages_of(loader, tokens, *changes, world), micro, world)


def read(parts: list[Rows]) -> list[int]:
    return torch.cat([p.ids_BT.flatten() for p in parts]).tolist()


def test_a_constant_plan_reads_place_after_place() -> None:
    batches = plan()
    assert [batches.draws(s) for s in (0, 1, 50)] == [
        Draw(0, 2, 12), Draw(2, 2, 12), Draw(100, 2, 12)
    ]  # fmt: skip
    assert read(batches.at(1)) == list(range(24, 48))
    assert batches.after(15).epochs == 3
    assert batches.after(15).tokens == 360


def test_batches_grow_after_steps_tokens_and_epochs() -> None:
    batches = plan(batch=[(2, 36), ({"tokens": 120}, 60), ({"epochs": 2}, 12)])
    counts = [batches.draws(s).count for s in range(7)]
    assert counts == [2, 2, 3, 3, 5, 5, 1]
    firsts = [batches.draws(s).first for s in range(8)]
    assert firsts == [0, 2, 4, 7, 10, 15, 20, 21]


@given(
    st.lists(st.tuples(st.integers(0, 9), st.sampled_from([12, 24, 60])), max_size=3),
    st.lists(st.tuples(st.integers(0, 9), st.sampled_from([3, 4, 6, 12])), max_size=3),
)
def test_no_place_is_left_out_or_read_twice_and_positions_agree(
    batch: list[tuple[int, int]], sequence: list[tuple[int, int]]
) -> None:
    batches = plan(sorted(batch, key=lambda c: c[0]), sorted(sequence, key=lambda c: c[0]))
    place = 0
    for step in range(14):
        draw = batches.draws(step)
        assert draw.first == place
        assert batches.after(step).tokens == place * 12
        place += draw.count
        assert read(batches.at(step)) == list(range(draw.first * 12, place * 12))
        assert all(p.ids_BT.shape[1] == draw.sequence for p in batches.at(step))


def test_shorter_rows_hold_the_same_tokens_and_targets() -> None:
    whole, cut = plan(micro=1000), plan(sequence=[(0, 4), (1, 12)], micro=1000)
    (rows,), (short,) = whole.at(0), cut.at(0)
    assert short.ids_BT.shape == (6, 4)
    assert torch.equal(short.ids_BT.flatten(), rows.ids_BT.flatten())
    assert torch.equal(short.labels_BT.flatten(), rows.labels_BT.flatten())
    assert (short.units, short.tokens) == (rows.units, rows.tokens) == (16, 16)
    assert torch.equal(cut.at(1)[0].ids_BT, whole.at(1)[0].ids_BT)


@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("row", [4, 12])
def test_the_parts_of_all_processes_are_the_batch_in_equal_numbers(size: int, row: int) -> None:
    given: dict[str, Any] = {"tokens": 72, "micro": 24, "sequence": [(0, row)]}
    alone = plan(**given)
    parts = [plan(**given, world=World(rank, size)).at(3) for rank in range(size)]
    assert [n for p in parts for n in read(p)] == read(alone.at(3))
    assert len({len(p) for p in parts}) == 1
    assert sum(r.units for p in parts for r in p) == sum(r.units for r in alone.at(3))


def test_a_step_finer_than_instances_is_shared_too() -> None:
    parts = [plan(tokens=12, sequence=[(0, 4)], world=World(rank, 3)).at(1) for rank in range(3)]
    assert [read(p) for p in parts] == [[12, 13, 14, 15], [16, 17, 18, 19], [20, 21, 22, 23]]


def test_stretches_follow_their_rows_and_end_where_rows_end() -> None:
    loader = Counting(lengths=(5, 7))
    batches = plan(loader=loader, micro=12)
    assert [p.segments.lengths for p in batches.at(0) if p.segments] == [(5, 7), (5, 7)]
    (cut,) = plan(loader=loader, micro=100, sequence=[(0, 6)], tokens=12).at(0)
    assert cut.segments is not None
    assert cut.segments.lengths == (5, 1, 6)
    assert plan().at(0)[0].segments is None


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"batch": [(5, 24), (2, 36)]}, "list changes in the order"),
        ({"batch": [({"epochs": 2}, 24), ({"tokens": 12}, 36)]}, "list changes in the order"),
        ({"sequence": [(0, 5)]}, "rows of 5 tokens do not divide loop.sequence 12"),
        ({"batch": [(5, 11)]}, r"loop\.batch_schedule: a batch of 11 tokens has no row of 12"),
        ({"tokens": 11}, r"loop\.batch_tokens: a batch of 11 tokens has no row of 12"),
        ({"sequence": [(0, 24)]}, "rows of 24 tokens do not divide"),
        ({"world": World(0, 4)}, "2 rows cannot be shared equally by 4 .*batch_tokens=48"),
    ],
)
def test_a_plan_that_cannot_be_kept_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        plan(**given)


def test_lengths_of_training_become_steps_whatever_the_plan() -> None:
    batches = plan(batch=[(2, 36), ({"tokens": 120}, 60), ({"epochs": 2}, 12)])
    for steps in range(1, 12):
        assert Duration.tokens(batches.after(steps).tokens).in_steps(batches.after) == steps
        assert Duration.epochs(batches.after(steps).epochs).in_steps(batches.after) == steps
