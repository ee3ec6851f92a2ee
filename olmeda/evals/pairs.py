"""What a measure over a whole task compares, and how it says that something could not be scored."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from olmeda.base.errors import OlmedaError

Compat = Literal["sciriff"]
"""``"sciriff"`` keeps the quirks of SciRIFF's metrics (each named where it is kept); None mends."""


class Pair(NamedTuple):
    """A prediction and its reference, both already parsed from JSON."""

    pred: Any
    ref: Any


class Failure(NamedTuple):
    """A prediction that has no score: the place of its pair, and why it counts as wrong."""

    place: int
    reason: str


class Unscorable(OlmedaError):
    """A value of a shape that has no score; measures over pairs turn it into a Failure."""


def kind_of(value: Any) -> str:
    """What a JSON value is, in JSON's words."""
    names = {dict: "an object", list: "a list", str: "a string", bool: "a truth value"}
    return "null" if value is None else names.get(type(value), "a number")
