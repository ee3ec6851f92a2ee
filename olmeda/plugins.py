"""The kinds of plug-ins and where each registry lives."""

from __future__ import annotations

import importlib
import inspect
from typing import Any

from olmeda.base.errors import ConfigError, unknown
from olmeda.base.registry import Registry

REGISTRIES = {
    "sources": ("olmeda.data.registries", "source"),
    "taggers": ("olmeda.data.registries", "tagger"),
    "tasks": ("olmeda.instruct.registries", "formatter"),
    "merge-methods": ("olmeda.merge.registries", "merge_method"),
    "scorers": ("olmeda.evals.registries", "scorer"),
    "reward-scorers": ("olmeda.reward.registries", "reward_scorer"),
    "metrics": ("olmeda.billboard.registries", "metric"),
}


def registry(kind: str) -> Registry[Any]:
    """The registry of one kind. Raises ConfigError listing the nearest kinds."""
    if kind not in REGISTRIES:
        raise ConfigError(unknown("kind of plug-in", kind, REGISTRIES))
    module, name = REGISTRIES[kind]
    found = getattr(importlib.import_module(module), name)
    assert isinstance(found, Registry)
    return found


def describe(kind: str) -> str:
    """Each plug-in of a kind: ``name@version(parameters)`` and the first line of its docstring."""
    lines = []
    for name in (held := registry(kind)).names():
        plugin = held.get(name)
        params = ", ".join(str(p) for p in plugin.parameters.values())
        lines.append(f"{name}@{plugin.version}({params})\n    {plugin.summary}")
    return "\n".join(lines).replace(str(inspect.Parameter.empty), "required")
