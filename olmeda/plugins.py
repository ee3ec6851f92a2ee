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
    "probes": ("olmeda.model.probe", "probe"),
    "trackers": ("olmeda.train.trackers.registry", "tracker"),
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
    for plugin in registry(kind).all():
        params = ", ".join(map(_shown, plugin.parameters.values()))
        lines.append(f"{plugin.name}@{plugin.version}({params})\n    {plugin.summary}")
    return "\n".join(lines)


def _shown(parameter: inspect.Parameter) -> str:
    """``name: type = default``; one without a default must be given."""
    empty = parameter.default is inspect.Parameter.empty
    kind = parameter.annotation
    shown = kind if isinstance(kind, str) else inspect.formatannotation(kind)
    return f"{parameter.name}: {shown}" + ("" if empty else f" = {parameter.default!r}")
