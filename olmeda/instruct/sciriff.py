"""SciRIFF's own mixture of science tasks and general conversations (its create_mixture script)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from olmeda.artifacts.examples import Conversation, Instance, Message
from olmeda.instruct.draw import shuffled

EVAL_TASKS = (
    "bioasq_list_qa",
    "biored_ner",
    "discomat_te",
    "evidence_inference",
    "multicite_intent_classification",
    "mup_single_document_summarization",
    "qasper_abstractive_qa",
    "scierc_ner",
    "scifact_entailment",
)
"""The nine tasks that SciRIFF holds out of training to evaluate on (arXiv:2406.07835)."""

General = Literal["all", "match", "none"]


def create_mixture(
    science: Mapping[str, Sequence[Instance]],
    general: Sequence[Conversation],
    *,
    instances_per_task: int,
    mode: General,
    include_eval_tasks: bool = False,
    eval_tasks: Sequence[str] = EVAL_TASKS,
    seed: int = 76,
) -> list[Conversation]:
    """The first ``instances_per_task`` train rows of each science task, with general conversations.

    ``science``: task name -> its train rows in file order, ids ``task:split:index``. ``mode`` takes
    all general rows, as many as there are science rows (none, where there are none), or none; rows
    whose dataset begins with ``science`` are taken out of ``general`` first. Held-out tasks stay
    out unless asked for. Unlike SciRIFF's, the order depends on ``seed`` alone, not on the order in
    which a folder is listed.
    """
    rows = [
        _science_row(task, instance)
        for task in sorted(science)
        if include_eval_tasks or task not in eval_tasks
        for instance in science[task][:instances_per_task]
    ]
    other = [row for row in general if not row.dataset.startswith("science")]
    most = {"all": len(other), "match": len(rows), "none": 0}[mode]
    rows += shuffled(other, seed, [f"general {row.id}" for row in other])[:most]
    return shuffled(rows, seed, [f"mixed {row.dataset} {row.id}" for row in rows])


def mixture_name(instances_per_task: int, mode: General, include_eval_tasks: bool) -> str:
    """The file name that SciRIFF gives such a mixture."""
    answer = "yes" if include_eval_tasks else "no"
    return f"tulu_{mode}_science_{instances_per_task}_eval_{answer}.jsonl"


def _science_row(task: str, instance: Instance) -> Conversation:
    index = instance.id.rpartition(":")[2]
    messages = [Message("user", instance.input), Message("assistant", instance.output)]
    return Conversation(f"science.{task}", f"science.{task}.{index}", messages)
