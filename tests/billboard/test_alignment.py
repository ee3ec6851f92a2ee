"""A board needs one cell for each system and item; anything else is refused or told."""

from __future__ import annotations

import numpy as np
import pytest

from olmeda.base.errors import InputError
from olmeda.billboard.alignment import align, check_values, column_faults, text_faults

from .outputs import TASK, changed, make_outputs


def test_every_system_takes_the_item_order_of_the_first() -> None:
    rows = make_outputs(2, 3)
    found = align(rows[:3] + rows[3:][::-1], "here")[TASK]
    orders = [[o.item for o in outputs] for outputs in found.values()]
    assert orders == [["i000", "i002", "i001"]] * 3
    assert all(o.system == name for name, outputs in found.items() for o in outputs)


def test_item_answered_twice_is_refused() -> None:
    rows = make_outputs(2, 2)
    with pytest.raises(InputError, match="'m0' answers item 'i000' of test/generation twice"):
        align([*rows, rows[0]], "here")


def test_missing_answer_is_refused_whoever_lacks_it() -> None:
    rows = make_outputs(2, 2)
    for left_out, lacking in ((0, "m0"), (1, "m1"), (5, "Human")):
        kept = rows[:left_out] + rows[left_out + 1 :]
        with pytest.raises(InputError, match=f"'{lacking}' has no answer to item"):
            align(kept, "here")


def test_another_reference_is_refused() -> None:
    rows = make_outputs(2, 2)
    rows[1] = changed(rows[1], reference="something else")
    with pytest.raises(InputError, match="has another reference for 'm1' than for 'm0'"):
        align(rows, "here")


@pytest.mark.parametrize(("values", "says"), [([1.0], "gave"), ([1.0, float("nan")], "nan for")])
def test_gap_or_nan_of_a_metric_is_refused(values: list[float], says: str) -> None:
    with pytest.raises(InputError, match=says):
        check_values("mine", values, 2, "here")


def test_constant_and_repeated_columns_are_told() -> None:
    one = np.array([[1.0, 2.0], [3.0, 3.0]])
    told = column_faults({"a": one, "b": one.copy(), "c": np.ones((2, 2))}, ["x", "y"])
    assert told == [
        "a is constant for y",
        "b is constant for y",
        "b repeats a value for value",
        "c is the same for every text: it can rank nothing",
    ]


def test_empty_texts_and_echoes_of_the_reference_are_told() -> None:
    rows = make_outputs(1, 3)
    rows[0] = changed(rows[0], text=" ")
    rows[1] = changed(rows[1], text=rows[1].reference)
    told = text_faults(align(rows, "here")[TASK])
    assert told == [
        "m0: 1 of 3 texts are empty",
        "Human: 1 of 3 texts are their own reference",
    ]
