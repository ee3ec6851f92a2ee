"""The registry of formatters: what turns a document into the fields that a template renders."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from olmeda.artifacts.corpus import Document
from olmeda.base.registry import Registry


class Item(msgspec.Struct, frozen=True):
    """One thing in a document that a task can ask about.

    ``part`` names it and is unique in its document; templates see ``fields``; ``about`` goes into
    the instance's metadata, for checks and metrics that need more than input and output.
    """

    part: str
    fields: dict[str, Any]
    about: dict[str, Any] = {}


Formatter = Callable[[Document], Iterator[Item]]

formatter: Registry[Callable[..., Iterator[Item]]] = Registry(
    "formatter", "olmeda.instruct.formatters"
)
"""Decorates ``f(document, *, parameters) -> Iterator[Item]``; nothing to say about it: no items."""
