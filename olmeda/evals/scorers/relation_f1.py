"""F1 of relations: lists of tuples, compared exactly, by containment, and by overlap of words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from olmeda.base.errors import InputError
from olmeda.evals.pairs import Compat, Failure, Pair, Unscorable, kind_of
from olmeda.evals.scorers.f1 import F1, Counts, fraction
from olmeda.evals.scorers.normalize import normalize_list_entry
from olmeda.evals.scorers.token_f1 import token_f1

Relation = tuple[str, ...]
PARSES = ("entry_not_list", "good_list", "bad_list", "wrong_length")


class RelationF1(NamedTuple):
    """Micro F1 by each way of comparing; ``parse_counts`` tells how predicted entries were read."""

    exact: F1
    substring: F1
    overlap: F1
    parse_counts: dict[str, float]
    failures: list[Failure]


class Likeness(NamedTuple):
    """When two relations match: ``slots`` places, the least token F1, and what must be equal.

    ``exact_slots`` hold words of a closed list. Without them "significantly increased" overlaps
    "significantly decreased" by half, and a wrong direction passes.
    """

    slots: int
    least_overlap: float = 0.3
    exact_slots: tuple[int, ...] = ()
    compat: Compat | None = None

    def contains(self, pred: Relation, ref: Relation) -> bool:
        """Whether each slot contains, or is contained in, the other's."""
        return self._all(pred, ref, lambda p, r: p in r or r in p)

    def overlaps(self, pred: Relation, ref: Relation) -> bool:
        """Whether the words of each slot overlap enough."""
        return self._all(pred, ref, lambda p, r: token_f1(p, r) >= self.least_overlap)

    def _all(self, pred: Relation, ref: Relation, alike: Callable[[str, str], bool]) -> bool:
        if len(ref) != self.slots:
            return False
        return all(self._slot(i, p, r, alike) for i, (p, r) in enumerate(zip(pred, ref)))

    def _slot(self, place: int, pred: str, ref: str, alike: Callable[[str, str], bool]) -> bool:
        if self.compat:  # a null prediction matches nothing, a null reference is contained in all
            return pred != "" and alike(pred, ref)
        if place in self.exact_slots or not pred or not ref:
            return pred == ref
        return alike(pred, ref)


def relation_f1(
    pairs: Sequence[Pair],
    slots: int = 5,
    least_overlap: float = 0.3,
    *,
    exact_slots: tuple[int, ...] = (),
    compat: Compat | None = None,
) -> RelationF1:
    """Micro F1 over a task of relations of ``slots`` places.

    A fuzzy match is greedy: predictions in order take the first reference that is like them and not
    yet taken. Malformed entries count as wrong predictions (compat: are not counted), null matches
    null alone (compat: see ``Likeness``), and compat knows no ``exact_slots``. Raises InputError
    for a reference that cannot be read.
    """
    like = Likeness(slots, least_overlap, () if compat else exact_slots, compat)
    counts = {name: Counts() for name in ("exact", "substring", "overlap")}
    parses: Counter[str] = Counter()
    failures: list[Failure] = []
    for index, pair in enumerate(pairs):
        refs = [_reference(entry, index, compat) for entry in pair.ref]
        try:
            entries = _entries(pair.pred)
        except Unscorable as problem:
            failures.append(Failure(index, str(problem)))
            entries = []
        read = [_read(entry, slots, compat) for entry in entries]
        parses.update(how for how, _ in read)
        preds = [relation for _, relation in read if relation is not None]
        said = len(preds) if compat else len(entries)
        found = (
            len(set(preds) & set(refs)),
            _greedy(preds, refs, like.contains),
            _greedy(preds, refs, like.overlaps),
        )
        for name, correct in zip(counts, found):
            counts[name] = counts[name].plus(correct, said, len(refs))
    tallies: dict[str, float] = {name: parses[name] for name in PARSES}
    tallies["frac_success"] = fraction(parses["good_list"], parses.total())
    scores = [counts[name].f1 for name in counts]
    return RelationF1(scores[0], scores[1], scores[2], tallies, failures)


def _entries(pred: Any) -> list[Any]:
    """What a prediction offers as relations: its entries, or itself where it is one flat tuple."""
    if isinstance(pred, list):
        return pred if not pred or isinstance(pred[0], list) else [pred]
    if isinstance(pred, str) and pred:
        return [pred]
    if pred is None:
        return []
    raise Unscorable(f"expected a list of relations, found {kind_of(pred)}")


def _read(entry: Any, slots: int, compat: Compat | None) -> tuple[str, Relation | None]:
    if not isinstance(entry, list):
        return "entry_not_list", None
    if len(entry) != slots:
        return "wrong_length", None
    try:
        return "good_list", tuple(normalize_list_entry(slot, compat) for slot in entry)
    except Unscorable:
        return "bad_list", None


def _reference(entry: Any, index: int, compat: Compat | None) -> Relation:
    try:
        return tuple(normalize_list_entry(slot, compat) for slot in entry)
    except (Unscorable, TypeError) as problem:
        raise InputError(f"reference {index}: not a relation: {entry!r} ({problem})") from None


def _greedy(
    preds: Sequence[Relation], refs: Sequence[Relation], alike: Callable[[Relation, Relation], bool]
) -> int:
    taken: set[Relation] = set()
    for pred in preds:
        match = next((ref for ref in refs if ref not in taken and alike(pred, ref)), None)
        if match is not None:
            taken.add(match)
    return len(taken)
