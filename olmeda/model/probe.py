"""Measures of a model beside its loss, as plug-ins: rooms above this one bring them.

Training asks them between steps and knows only their names (``probe.downstream`` of a recipe), so
that it need not know how answers are scored.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from olmeda.base.registry import Registry
from olmeda.model.transformer import Transformer

Probe = Callable[[Transformer], Mapping[str, float]]
"""Looks at a model, leaves its weights alone, and returns figures by name. Where several processes
train one model, each of them calls it and has to get the same."""

probe: Registry[Callable[..., Probe]] = Registry("probe", "olmeda.evals.probes")
"""Decorates ``f(tokenizer, *, parameters) -> Probe``; ``tokenizer`` is a folder."""
