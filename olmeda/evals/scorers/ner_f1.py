"""F1 of named mentions in ``{"type": ["mention", ...]}``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from olmeda.evals.pairs import Compat, Failure, Pair, Unscorable, kind_of
from olmeda.evals.scorers.f1 import F1, Counts
from olmeda.evals.scorers.normalize import normalize_list_entry


class NerF1(NamedTuple):
    """Micro F1 of ``(mention, type)`` and of mentions alone."""

    typed: F1
    untyped: F1
    failures: list[Failure]


def mentions(value: Any, compat: Compat | None = None) -> frozenset[tuple[str, str]]:
    """``(normalised mention, type as written)``. Raises Unscorable for any other shape.

    Where a type holds a string or an object, compat reads its characters or keys; without compat a
    string is one mention.
    """
    if not isinstance(value, dict):
        raise Unscorable(f"expected an object of lists, found {kind_of(value)}")
    found = []
    for kind, held in value.items():
        if isinstance(held, str):
            held = list(held) if compat else [held]
        elif not isinstance(held, (list, dict)):
            raise Unscorable(f"expected a list of {kind!r}, found {kind_of(held)}")
        found += [(normalize_list_entry(mention, compat), kind) for mention in held]
    return frozenset(found)


def ner_f1(pairs: Sequence[Pair], compat: Compat | None = None) -> NerF1:
    """Micro F1 over a task; a prediction of another shape finds nothing and is a failure."""
    typed, untyped, failures = Counts(), Counts(), list[Failure]()
    for index, pair in enumerate(pairs):
        ref = mentions(pair.ref, compat)
        try:
            pred = mentions(pair.pred, compat)
        except Unscorable as problem:
            failures.append(Failure(index, str(problem)))
            pred = frozenset()
        typed = typed.plus(len(pred & ref), len(pred), len(ref))
        pred_names, ref_names = {name for name, _ in pred}, {name for name, _ in ref}
        untyped = untyped.plus(len(pred_names & ref_names), len(pred_names), len(ref_names))
    return NerF1(typed.f1, untyped.f1, failures)
