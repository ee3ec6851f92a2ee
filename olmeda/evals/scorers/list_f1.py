"""F1 of the entries of JSON lists, as sets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from olmeda.artifacts.examples import Instance
from olmeda.evals.pairs import Compat, Failure, Pair, Unscorable, kind_of
from olmeda.evals.registries import Mark, scorer
from olmeda.evals.scorers.f1 import F1, Counts, fraction, item_f1
from olmeda.evals.scorers.json_reply import loads, parse_reply
from olmeda.evals.scorers.normalize import flatten, normalize_list_entry


class ListF1(NamedTuple):
    """Micro F1 over a task; ``success`` and ``failure`` count predictions and references."""

    f1: F1
    success: int
    failure: int
    failures: list[Failure]

    @property
    def parse_counts(self) -> dict[str, float]:
        whole = self.success + self.failure
        return {"success": self.success, "failure": self.failure,
                "frac_success": fraction(self.success, whole)}  # fmt: skip


def entry_set(value: Any, compat: Compat | None = None) -> frozenset[str]:
    """The normalised entries of a list. Raises Unscorable for what is no list.

    A string is a list of one; compat takes its characters, and the keys of an object.
    """
    if isinstance(value, dict) and not compat:
        raise Unscorable("expected a list, found an object")
    entries = value if isinstance(value, list) else flatten(value, compat)
    return frozenset(normalize_list_entry(entry, compat) for entry in entries)


def list_f1(pairs: Sequence[Pair], compat: Compat | None = None) -> ListF1:
    """Micro F1 of predicted and reference entries; an unscorable list is one wrong entry."""
    counts, failed, failures = Counts(), 0, list[Failure]()
    for index, pair in enumerate(pairs):
        sets = []
        for value, side in ((pair.pred, "prediction"), (pair.ref, "reference")):
            try:
                sets.append(entry_set(value, compat))
            except Unscorable as problem:
                failed += 1
                failures.append(Failure(index, f"{side}: {problem}"))
                sets.append(frozenset([""]))
        pred, ref = sets
        counts = counts.plus(len(pred & ref), len(pred), len(ref))
    return ListF1(counts.f1, 2 * len(pairs) - failed, failed, failures)


@scorer("json_list")
def mark_json_list(answer: str, instance: Instance) -> list[Mark]:
    """JSON lists of names: ``list_f1`` (entries as a set), ``exact_list``, ``valid_json``.

    ``list_f1`` reads the first list in the answer; ``exact_list`` wants every entry in its place;
    ``valid_json`` wants the whole answer to be a JSON list. Case counts, unlike in SciRIFF.
    """
    value, is_json = loads(answer)
    expected = loads(instance.output)[0]
    reply = parse_reply(answer, [])
    reason = "" if reply.is_parsed else "no JSON list in the answer"
    pred = {entry for entry in _entries(reply.value) if isinstance(entry, str)}
    wrong = len(_entries(reply.value)) - sum(isinstance(e, str) for e in _entries(reply.value))
    correct = len(pred & set(expected)) if reply.is_parsed else 0
    if reply.is_parsed and not isinstance(reply.value, list):
        reason = f"expected a list, found {kind_of(reply.value)}"
    f1 = 0.0 if reason else item_f1(correct, len(pred) + wrong, len(set(expected)))
    return [
        Mark("list_f1", f1, reason=reason),
        Mark("exact_list", float(is_json and value == expected)),
        Mark("valid_json", float(is_json and isinstance(value, list))),
    ]


def _entries(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
