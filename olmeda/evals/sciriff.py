"""The nine evaluation tasks of SciRIFF from raw replies to the numbers of its tables.

What a judging model would add (qasper, mup) is left out: that needs a judge. Each metric counts
``all`` replies (an unreadable one as the task's default) and, apart, those in which JSON was found
(``valid_json``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from olmeda.base.errors import ConfigError, unknown
from olmeda.evals.pairs import Compat, Pair
from olmeda.evals.scorers.attributed_qa import attributed_qa
from olmeda.evals.scorers.bleu import bleu
from olmeda.evals.scorers.f1 import F1
from olmeda.evals.scorers.fact_checking import fact_checking
from olmeda.evals.scorers.json_reply import count_replies, parse_references, parse_reply
from olmeda.evals.scorers.list_f1 import list_f1
from olmeda.evals.scorers.ner_f1 import ner_f1
from olmeda.evals.scorers.relation_f1 import relation_f1
from olmeda.evals.scorers.rouge import mean_rouge

Metrics = dict[str, float]
END = "</s>"
EFFECT = 3
"""The place of the effect in a finding of evidence inference; its words are a closed list."""


class Sample(NamedTuple):
    """One reply and what was expected, both as text."""

    target: str
    response: str


def without_end(response: str, compat: Compat | None = None) -> str:
    """A reply without its end token.

    compat strips any of the characters ``< / s >`` from both ends, and so "parsers" to "parser".
    """
    return response.strip(END) if compat else response.removesuffix(END)


def _lists(pairs: Sequence[Pair], compat: Compat | None) -> Metrics:
    found = list_f1(pairs, compat)
    return _spread("", found.f1) | {"frac_parsed": found.parse_counts["frac_success"]}


def _mentions(pairs: Sequence[Pair], compat: Compat | None) -> Metrics:
    found = ner_f1(pairs, compat)
    return _spread("typed_", found.typed) | _spread("untyped_", found.untyped)


def _findings(pairs: Sequence[Pair], compat: Compat | None) -> Metrics:
    found = relation_f1(pairs, 5, 0.3, exact_slots=(EFFECT,), compat=compat)
    metrics = {"frac_valid_list": found.parse_counts["frac_success"]}
    for name in ("exact", "substring", "overlap"):
        metrics |= _spread(f"{name}_", getattr(found, name))
    return metrics


def _verdicts(pairs: Sequence[Pair], compat: Compat | None) -> Metrics:
    found = fact_checking(pairs, compat)
    metrics = _spread("label_", found.label)
    metrics |= _spread("evidence_sent_", found.evidence_sent)
    metrics |= _spread("evidence_tok_", found.evidence_tok)
    for part in ("correct_verdict", "correct_evidence"):
        metrics[f"{part}_frac_parsed"] = found.answer_parse[part]["frac_success"]
    return metrics


def _answers(pairs: Sequence[Pair], compat: Compat | None) -> Metrics:
    found = attributed_qa(pairs, compat)
    metrics = {f"{k}_frac_parsed": v["frac_success"] for k, v in found.answer_parse.items()}
    refs = [str(pair.ref["answer"]) for pair in pairs]
    given = [(text, ref) for text, ref in zip(found.answers, refs) if text is not None]
    parsed = mean_rouge([text for text, _ in given], [ref for _, ref in given])
    everything = mean_rouge([text or "" for text in found.answers], refs)
    metrics |= found.scores | {f"{name}_parsed": value for name, value in parsed.items()}
    return metrics | {f"{name}_all": value for name, value in everything.items()}


def _spread(prefix: str, f1: F1) -> Metrics:
    return {f"{prefix}{name}": value for name, value in f1._asdict().items()}


class Pipeline(NamedTuple):
    """How the replies of one task are read and measured, and which numbers head its table."""

    measure: Callable[[Sequence[Pair], Compat | None], Metrics] | None
    default: Any
    headline: Mapping[str, str]
    brace_closes_list: bool = False
    with_rouge: bool = False


_F1 = {"f1": "all_f1"}
_TYPED = {"f1": "all_typed_f1"}
PIPELINES: dict[str, Pipeline] = {
    "bioasq_list_qa": Pipeline(_lists, [], _F1),
    "multicite_intent_classification": Pipeline(_lists, [], _F1),
    "biored_ner": Pipeline(_mentions, {}, _TYPED),
    "scierc_ner": Pipeline(_mentions, {}, _TYPED),
    "evidence_inference": Pipeline(
        _findings,
        [],
        {f"f1_{name}": f"all_{name}_f1" for name in ("exact", "substring", "overlap")},
        brace_closes_list=True,
    ),
    "scifact_entailment": Pipeline(
        _verdicts,
        {"verdict": "NEI", "evidence": []},
        {
            "f1_label": "all_label_f1",
            "f1_evidence_sent": "all_evidence_sent_f1",
            "f1_evidence_token": "all_evidence_tok_f1",
        },
    ),
    "qasper_abstractive_qa": Pipeline(
        _answers, {}, {"f1_answer": "all_f1_answer_all", "f1_evidence": "all_f1_evidence_all"}
    ),
    "mup_single_document_summarization": Pipeline(None, None, {"rouge": "rougeL"}, with_rouge=True),
    "discomat_te": Pipeline(None, None, {"bleu": "bleu"}),
}


class Evaluation(NamedTuple):
    """All metrics of a task by flat name, and the few that head its table."""

    metrics: Metrics
    headline: Metrics


def evaluate(task: str, samples: Sequence[Sample], compat: Compat | None = None) -> Evaluation:
    """Measure the replies to one of SciRIFF's evaluation tasks. Raises ConfigError for another."""
    if task not in PIPELINES:
        raise ConfigError(unknown("SciRIFF evaluation task", task, PIPELINES))
    pipeline = PIPELINES[task]
    texts = [without_end(sample.response, compat) for sample in samples]
    targets = [sample.target for sample in samples]
    metrics: Metrics = {"bleu": bleu(texts, targets).bleu}
    if pipeline.with_rouge:
        metrics |= mean_rouge(texts, targets)
    if pipeline.measure:
        mend = pipeline.brace_closes_list
        replies = [
            parse_reply(text, pipeline.default, brace_closes_list=mend, compat=compat)
            for text in texts
        ]
        pairs = [Pair(reply.value, ref) for reply, ref in zip(replies, parse_references(targets))]
        read = [pair for pair, reply in zip(pairs, replies) if reply.is_parsed]
        for name, some in (("valid_json", read), ("all", pairs)):
            found = pipeline.measure(some, compat)
            metrics |= {f"{name}_{key}": value for key, value in found.items()}
        metrics["json_parsed"] = count_replies(replies)["frac_success"]
    return Evaluation(metrics, {name: metrics[key] for name, key in pipeline.headline.items()})
