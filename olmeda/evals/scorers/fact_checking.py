"""Verdicts on claims with the sentences that bear them out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from olmeda.evals.pairs import Compat, Failure, Pair, Unscorable, kind_of
from olmeda.evals.scorers.f1 import F1, Counts, fraction
from olmeda.evals.scorers.normalize import flatten, normalize_answer

UNDECIDED = "NEI"
"""The verdict that the text does not decide the claim: nothing to find."""


class FactChecking(NamedTuple):
    """Micro F1 of verdicts, of evidence sentences and of evidence words, and what was answered."""

    label: F1
    evidence_sent: F1
    evidence_tok: F1
    answer_parse: dict[str, Any]
    failures: list[Failure]


class _Answered(NamedTuple):
    verdict: Any
    evidence: list[str]


def fact_checking(pairs: Sequence[Pair], compat: Compat | None = None) -> FactChecking:
    """F1 over a task of ``{"verdict": ..., "evidence": [...]}``; verdicts are case-sensitive.

    A prediction that is no object finds nothing; compat leaves its references out of recall too. A
    string as evidence is one sentence; compat reads its characters.
    """
    label, sentences, tokens = Counts(), Counts(), Counts()
    tallies: Counter[str] = Counter()
    failures: list[Failure] = []
    for index, pair in enumerate(pairs):
        if not isinstance(pair.pred, dict):
            tallies["not_dict"] += 1
            failures.append(Failure(index, f"expected an object, found {kind_of(pair.pred)}"))
            if compat:
                continue
        said = _answered(pair.pred, index, compat, tallies, failures)
        truth = _Answered(pair.ref["verdict"], pair.ref["evidence"])
        decided = truth.verdict != UNDECIDED
        right = decided and said.verdict == truth.verdict
        label = label.plus(right, said.verdict != UNDECIDED, decided)
        pred_set, ref_set = _sentence_set(said.evidence), _sentence_set(truth.evidence)
        sentences = sentences.plus(len(pred_set & ref_set), len(pred_set), len(ref_set))
        pred_bag, ref_bag = _words(said.evidence), _words(truth.evidence)
        tokens = tokens.plus((pred_bag & ref_bag).total(), pred_bag.total(), ref_bag.total())
    return FactChecking(label.f1, sentences.f1, tokens.f1, _parse_table(tallies), failures)


def _answered(
    pred: Any,
    index: int,
    compat: Compat | None,
    tallies: Counter[str],
    failures: list[Failure],
) -> _Answered:
    if not isinstance(pred, dict):
        return _Answered(UNDECIDED, [])
    verdict, evidence = pred.get("verdict"), pred.get("evidence")
    tallies[f"correct_verdict {'no' if verdict is None else 'yes'}"] += 1
    sentences: list[str] = []
    if evidence is not None:
        try:
            sentences = _sentences(evidence, compat)
        except Unscorable as problem:
            failures.append(Failure(index, f"evidence: {problem}"))
            evidence = None
    tallies[f"correct_evidence {'no' if evidence is None else 'yes'}"] += 1
    return _Answered(UNDECIDED if verdict is None else verdict, sentences)


def _sentences(evidence: Any, compat: Compat | None) -> list[str]:
    found = flatten(evidence, compat)
    if wrong := [sentence for sentence in found if not isinstance(sentence, str)]:
        raise Unscorable(f"expected sentences, found {kind_of(wrong[0])}")
    return found


def _sentence_set(evidence: Sequence[str]) -> set[str]:
    return {sentence.strip().lower() for sentence in evidence}


def _words(evidence: Sequence[str]) -> Counter[str]:
    return Counter(normalize_answer(" ".join(evidence)).split())


def _parse_table(tallies: Counter[str]) -> dict[str, Any]:
    table: dict[str, Any] = {}
    for part in ("correct_verdict", "correct_evidence"):
        yes, no = tallies[f"{part} yes"], tallies[f"{part} no"]
        table[part] = {"yes": yes, "no": no, "frac_success": fraction(yes, yes + no)}
    return table | {"not_dict": tallies["not_dict"]}
