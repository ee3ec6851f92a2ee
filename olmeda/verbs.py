"""The table of verbs: ``room.verb`` -> its module and one line for ``--help``.

Kept as data so that ``olmeda --help`` imports no room. A test holds each line against the
docstring of its verb.
"""

from __future__ import annotations

import importlib
from typing import Any

from olmeda.artifacts.verb import Verb
from olmeda.base.errors import ConfigError, missing_package, unknown

VERBS = {
    "data.read": ("olmeda.data.read", "Read sources into a corpus."),
    "data.tag": ("olmeda.data.tag", "Measure every document with the chosen taggers."),
    "data.dedupe": ("olmeda.data.dedupe", "Find exact copies of documents and paragraphs."),
    "data.near_copies": (
        "olmeda.data.dedupe.near_copies",
        "Find documents that are nearly copies of others.",
    ),
    "data.substrings": (
        "olmeda.data.dedupe.substrings",
        "Find long stretches of text that stand elsewhere, by suffix arrays.",
    ),
    "data.hold_out": ("olmeda.data.hold_out", "Choose held-out documents and find near-copies."),
    "data.decontaminate": (
        "olmeda.data.decontaminate",
        "Find what a corpus has in common with evaluation sets.",
    ),
    "data.adopt": (
        "olmeda.data.adopt",
        "Take attributes that Dolma wrote as attributes of a corpus.",
    ),
    "data.export": (
        "olmeda.data.export",
        "Write a corpus and attributes for other tools, here or at an address.",
    ),
    "data.survey": (
        "olmeda.data.survey",
        "Tell how attributes are distributed, what is frequent, and what rules would take.",
    ),
    "data.mix": ("olmeda.data.mix", "Apply rules and shares; keep a ledger of what left and why."),
    "data.train_classifier": (
        "olmeda.data.train_classifier",
        "Train a fastText classifier on a corpus for each label.",
    ),
    "data.train_ngrams": (
        "olmeda.data.train_ngrams",
        "Train an n-gram language model (modified Kneser-Ney) on a corpus.",
    ),
    "tokens.train": ("olmeda.tokens.train", "Train a byte-level BPE tokenizer on a corpus."),
    "tokens.encode": ("olmeda.tokens.encode", "Encode a corpus into memory-mapped tokens."),
    "tokens.adopt": ("olmeda.tokens.adopt", "Take Dolma's token files as a token set."),
    "tokens.export_dolma": (
        "olmeda.tokens.export_dolma",
        "Write a token set as Dolma's memory maps with their tables.",
    ),
    "train.run": ("olmeda.train.run", "Pretrain a model on a token set."),
    "train.average": ("olmeda.train.average", "Average checkpoints of one model."),
    "routing.analyse": (
        "olmeda.routing.analyse",
        "Measure how a mixture of experts routes tokens.",
    ),
    "routing.upcycle": (
        "olmeda.routing.upcycle",
        "Make a mixture of experts of a dense checkpoint.",
    ),
    "instruct.build": (
        "olmeda.instruct.build",
        "Turn documents into instances of instruction tasks.",
    ),
    "instruct.mix": (
        "olmeda.instruct.mix",
        "Draw conversations to finetune on from task instances.",
    ),
    "tune.sft": ("olmeda.tune.sft", "Finetune a checkpoint on conversations."),
    "tune.reward_model": ("olmeda.tune.reward_model", "Train a reward model on preference trios."),
    "tune.prefer": ("olmeda.tune.prefer", "Tune a policy on preference trios (DPO)."),
    "merge.apply": ("olmeda.merge.apply", "Merge checkpoints by a method and weights."),
    "merge.sweep": ("olmeda.merge.sweep", "Merge at every weight of a sweep in one pass."),
    "merge.pick": ("olmeda.merge.pick", "Take the checkpoint of a sweep that a comparison chose."),
    "merge.compare": ("olmeda.merge.compare", "Compare ways to add a skill: scores against cost."),
    "evals.perplexity": ("olmeda.evals.perplexity", "Measure bits per byte of held-out text."),
    "evals.run": ("olmeda.evals.run", "Let systems answer task instances and score the answers."),
    "evals.compare": (
        "olmeda.evals.compare",
        "Compare arms of an experiment over seeds and documents.",
    ),
    "reward.trios": ("olmeda.reward.trios", "Make preference trios that the corpus can verify."),
    "reward.bench": ("olmeda.reward.bench", "Score reward models on trios, by subset and section."),
    "reward.score": ("olmeda.reward.score", "Score systems' outputs with a reward model."),
    "billboard.measure": ("olmeda.billboard.measure", "Score systems' outputs with metrics."),
    "billboard.rank": ("olmeda.billboard.rank", "Rank systems and metrics on one board."),
    "rubric.prepare": ("olmeda.rubric.prepare", "Prepare a blind rating session over outputs."),
    "rubric.agree": ("olmeda.rubric.agree", "Turn ratings into scores and agreement."),
    "web.report": ("olmeda.web.report", "Draw one self-contained page about a run."),
    "web.runs": ("olmeda.web.runs", "Draw one self-contained page that compares training runs."),
}


def find_verb(name: str) -> Verb[Any]:
    """Import the verb called ``room.verb``. Raises ConfigError listing the nearest names."""
    if name not in VERBS:
        raise ConfigError(unknown("verb", name, VERBS))
    module, _ = VERBS[name]
    try:
        found = getattr(importlib.import_module(module), name.partition(".")[2])
    except ModuleNotFoundError as problem:
        if problem.name is None or problem.name.startswith("olmeda"):
            raise
        raise ConfigError(f"{name}: {missing_package(problem.name)}") from None
    assert isinstance(found, Verb), name
    return found
