"""The registry of scorers: what marks one answer to one instance."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import msgspec

from olmeda.artifacts.examples import Instance
from olmeda.base.registry import Registry


class Mark(msgspec.Struct, frozen=True):
    """One value of one answer, higher is better unless ``scorer`` ends in ``_cost``.

    ``kind``: who gives it, a program that verifies (``checker``) or a measure of likeness
    (``metric``); ``by``: its name, the task's where empty. ``reason``: why a value is zero, where
    there is more to say than "wrong".
    """

    scorer: str
    value: float
    kind: Literal["checker", "metric"] = "checker"
    by: str = ""
    reason: str = ""


Scorer = Callable[[str, Instance], list[Mark]]

scorer: Registry[Callable[..., list[Mark]]] = Registry("scorer", "olmeda.evals.scorers")
"""Decorates ``f(answer, instance, *, parameters) -> list[Mark]``; never raises for an answer."""
