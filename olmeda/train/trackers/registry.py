"""The registry of trackers, and what all of them have in common."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from olmeda.base.errors import ConfigError
from olmeda.base.files import read_json
from olmeda.base.log import say
from olmeda.base.registry import Registry
from olmeda.train.loop import Hook, Moment
from olmeda.train.monitors import Opening

tracker: Registry[Callable[..., AbstractContextManager[Hook]]] = Registry(
    "tracker", "olmeda.train.trackers"
)
"""Decorates ``f(opening, *, parameters)``, a context manager whose value is a hook."""

Send = Callable[[int, dict[str, float]], None]
"""``send(step, figures)``."""


def required(name: str, module: str) -> Any:
    """Import what a tracker needs. Raises ConfigError where it is not installed."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as problem:
        missing = problem.name or module
        raise ConfigError(
            f"tracker {name!r} needs the package {missing!r}, which is not installed; "
            "pip install 'olmeda[trackers]', or take it out of monitor.trackers"
        ) from None


@contextlib.contextmanager
def opening_of(name: str) -> Iterator[None]:
    """Around what opens a tracker. Raises ConfigError where it refuses (no key, no such place)."""
    try:
        yield
    except Exception as problem:
        raise ConfigError(
            f"tracker {name!r} could not be opened: {problem}; mend that, or take it out of "
            "monitor.trackers (the log is written in any case)"
        ) from problem


def settings_of(opening: Opening) -> dict[str, Any]:
    """The resolved configuration of the run."""
    plan = opening.journal / "plan.json"
    held = read_json(plan) if plan.is_file() else {}
    return dict(held.get("config", {}))


def figures(measures: Mapping[str, Any]) -> dict[str, float]:
    """Measures as single figures: ``grad_norms/<parameter>``, ``saturation/first/<layer>``.

    Tables (expert load, pairs of experts) are left to the log: a dashboard has no use for
    thousands of curves.
    """
    found: dict[str, float] = {}
    for name, value in measures.items():
        if isinstance(value, Mapping):
            found |= figures({f"{name}/{key}": inner for key, inner in value.items()})
        elif isinstance(value, list) and all(isinstance(v, (int, float)) for v in value):
            found |= {f"{name}/{place}": float(v) for place, v in enumerate(value)}
        elif isinstance(value, (int, float)):
            found[name] = float(value)
    return found


@contextlib.contextmanager
def sending(name: str, send: Send) -> Iterator[Hook]:
    """A hook that hands every moment's figures to ``send``; when that fails, training goes on.

    The log holds everything in any case, so a dashboard that is out of reach costs a message.
    """
    failed: list[Exception] = []

    def record(moment: Moment) -> Mapping[str, Any]:
        if not failed:
            shown = {"tokens": float(moment.position.tokens), **figures(moment.measures)}
            try:
                send(moment.position.steps, shown)
            except Exception as problem:
                failed.append(problem)
                say(f"tracker {name} failed and is left alone from now on: {problem}")
        return {}

    yield record


def remembered(journal: Path, name: str, fresh: str) -> str:
    """The identity of the run in one tracker: that of an earlier launch, else ``fresh``."""
    file = journal / f"{name}.id"
    if not file.is_file():
        file.write_text(fresh)
    return file.read_text()
