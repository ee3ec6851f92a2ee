"""One system's answers to a list of instances, scored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import msgspec

from olmeda.artifacts.examples import Instance, Output
from olmeda.artifacts.scores import Score
from olmeda.evals.answerer import Answerer
from olmeda.evals.registries import Mark, scorer
from olmeda.evals.scorers.label import most_likely
from olmeda.instruct.task import TaskFile

HUMAN = "Human"
"""The system whose answers people wrote; only where a second text of theirs is the reference."""
GOLD_BITS = "gold_bits_per_byte_cost"
"""Bits a system needs for the expected answer, end token included, by byte of it."""


class Answers(msgspec.Struct):
    """What one system answered: scores of every item, its written answers, and counted failures."""

    system: str
    scores: list[Score] = []
    outputs: list[Output] = []
    failures: dict[str, dict[str, int]] = {}
    shortened: int = 0


@dataclass(frozen=True)
class Asked:
    """An instance with the task file that says how it is answered and scored."""

    instance: Instance
    task: TaskFile

    @property
    def name(self) -> str:
        """The task's name in tables: ``test/extraction``."""
        return f"{self.instance.metadata['split']}/{self.instance.task}"

    @property
    def reference(self) -> str | None:
        """A second human text about the same thing, if the instance carries one."""
        held = self.instance.metadata.get("reference")
        return None if held is None else str(held)


def answer(system: str, answerer: Answerer, asked: Sequence[Asked]) -> Answers:
    """Let a system answer: choices by likelihood, all else greedily; and score every answer."""
    picked = [a for a in asked if a.task.choices]
    written = [a for a in asked if not a.task.choices]
    sheet = _Sheet(Answers(system))
    for one, text in _pick(answerer, picked):
        sheet.mark(one, text)
    for one, text in _write(answerer, written):
        sheet.mark(one, text)
        sheet.keep(one, text)
    bits = answerer.surprise(
        [a.instance.input for a in written], [a.instance.output for a in written]
    )
    for one, cost in zip(written, bits, strict=True):
        value = cost / len(one.instance.output.encode("utf-8", "surrogatepass"))
        sheet.add(one, Mark(GOLD_BITS, value, "metric", "likelihood"))
    return sheet.finished()


def human(asked: Sequence[Asked]) -> Answers:
    """What people wrote, scored like any system, where a second text of theirs is the reference."""
    sheet = _Sheet(Answers(HUMAN))
    for one in asked:
        if one.reference is not None and not one.task.choices:
            sheet.mark(one, one.instance.output)
            sheet.keep(one, one.instance.output)
    return sheet.finished()


def _pick(answerer: Answerer, asked: Sequence[Asked]) -> Iterable[tuple[Asked, str]]:
    """Items of one set of choices share a call, so that they share batches."""
    for choices in dict.fromkeys(tuple(a.task.choices) for a in asked):
        here = [a for a in asked if tuple(a.task.choices) == choices]
        weights = answerer.weigh([a.instance.input for a in here], choices)
        for one, logprobs in zip(here, weights, strict=True):
            yield one, most_likely(choices, logprobs)


def _write(answerer: Answerer, asked: Sequence[Asked]) -> Iterable[tuple[Asked, str]]:
    """Items of one length of answer share a call."""
    for most in dict.fromkeys(a.task.max_new_tokens for a in asked):
        here = [a for a in asked if a.task.max_new_tokens == most]
        texts = answerer.write([a.instance.input for a in here], most)
        yield from zip(here, texts, strict=True)


@dataclass
class _Sheet:
    """Answers being filled in."""

    answers: Answers
    reasons: dict[str, Counter[str]] = field(default_factory=dict)

    def mark(self, asked: Asked, text: str) -> None:
        for spec in asked.task.scorers:
            for mark in scorer.bind(spec)(text, asked.instance):
                self.add(asked, mark)

    def add(self, asked: Asked, mark: Mark) -> None:
        rater = f"{mark.kind}:{mark.by or asked.task.name}"
        self.answers.scores.append(
            Score(
                self.answers.system, asked.name, asked.instance.id, mark.scorer, mark.value, rater
            )
        )
        if mark.reason:
            self.reasons.setdefault(f"{asked.name} {mark.scorer}", Counter())[mark.reason] += 1

    def keep(self, asked: Asked, text: str) -> None:
        instance = asked.instance
        reference = instance.output if asked.reference is None else asked.reference
        held = {"template": asked.task.name, "expected": instance.output}
        self.answers.outputs.append(
            Output(
                self.answers.system, asked.name, instance.id, instance.input, reference, text, held
            )
        )

    def finished(self) -> Answers:
        """The answers in the order of task and item, whatever the order of asking."""
        self.answers.scores.sort(key=lambda s: (s.task, s.item, s.scorer))
        self.answers.outputs.sort(key=lambda o: (o.task, o.item))
        self.answers.failures = {
            k: dict(sorted(c.items())) for k, c in sorted(self.reasons.items())
        }
        return self.answers
