"""Corruptions of a signature: each as data, each applied to a copy of the parameters."""

from __future__ import annotations

import ast
import copy
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

Value = str | int | None


@dataclass(frozen=True)
class Corruption:
    """``kind`` applied at the ``place``-th parameter (or default) with a new name or value."""

    kind: str
    place: int
    value: Value = None


def corruptions(
    arguments: ast.arguments, named: Collection[str], spare: Sequence[str]
) -> Iterator[Corruption]:
    """Every corruption of the plain positional parameters.

    Parameters in ``named`` may be renamed to one of ``spare`` or dropped; one of ``spare`` may be
    added after the required ones; neighbours may be swapped; constant defaults may change.
    """
    required = len(arguments.args) - len(arguments.defaults)
    for place, argument in enumerate(arguments.args):
        if argument.arg in named:
            yield from (Corruption("renamed_parameter", place, name) for name in spare)
            if place < required:
                yield Corruption("dropped_parameter", place)
    yield from (Corruption("swapped_parameters", place) for place in range(required - 1))
    yield from (Corruption("added_parameter", required, name) for name in spare)
    for place, default in enumerate(arguments.defaults):
        for value in _other_values(default):
            yield Corruption("changed_default", place, value)


def _other_values(default: ast.expr) -> list[Value]:
    """Plausible wrong defaults in place of a constant; none for an expression."""
    match default:
        case ast.Constant(value=None):
            return [True, False, 0]
        case ast.Constant(value=bool() as value):
            return [not value, None]
        case ast.Constant(value=int() as value):
            return [value + 1, value * 10 + 1, None]
        case ast.Constant(value=str() as text):
            return [None, ""] if text else [None]
    return []


def corrupted(arguments: ast.arguments, corruption: Corruption) -> str:
    """The source of a copy of the parameters with one corruption."""
    changed = copy.deepcopy(arguments)
    args, place = changed.args, corruption.place
    if corruption.kind == "renamed_parameter":
        args[place].arg = str(corruption.value)
    elif corruption.kind == "dropped_parameter":
        del args[place]
    elif corruption.kind == "swapped_parameters":
        args[place], args[place + 1] = args[place + 1], args[place]
    elif corruption.kind == "added_parameter":
        args.insert(place, ast.arg(str(corruption.value)))
    else:
        changed.defaults[place] = ast.Constant(corruption.value)
    return ast.unparse(changed)
