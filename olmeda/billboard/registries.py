"""Where metrics register, and which library each one leans on."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version as library_version
from typing import TypeVar

from olmeda.base.registry import Registry, Spec

Metric = Callable[..., list[float]]
"""``metric(hypotheses, references, *, ...) -> values``: a value for each hypothesis, higher is
better; ``references[i]`` are all the references of ``hypotheses[i]``."""

metric: Registry[Metric] = Registry("metric", "olmeda.billboard.metrics")

M = TypeVar("M", bound=Metric)
_LIBRARIES: dict[str, str] = {}


def uses(library: str) -> Callable[[M], M]:
    """Say which installed distribution computes a metric, so that its version is recorded."""

    def note(function: M) -> M:
        _LIBRARIES[f"{function.__module__}.{function.__qualname__}"] = library
        return function

    return note


def column_name(spec: Spec) -> str:
    """The scorer name of a metric's column: ``chrf``, or ``chrf(word_order=2)`` if set so."""
    settings = ",".join(f"{key}={value}" for key, value in sorted(spec.params.items()))
    return f"{spec.name}({settings})" if settings else spec.name


def signature(spec: Spec) -> str:
    """All that the values depend on: ``bleu@1|sacrebleu:2.6.0|smooth:exp|tokenize:13a``."""
    plugin = metric.get(spec.name)
    parts = [f"{plugin.name}@{plugin.version}"]
    library = _LIBRARIES.get(f"{plugin.function.__module__}.{plugin.function.__qualname__}")
    if library:
        parts.append(f"{library}:{library_version(library)}")
    settings = {name: p.default for name, p in plugin.parameters.items()} | spec.params
    return "|".join([*parts, *(f"{name}:{settings[name]}" for name in sorted(settings))])
