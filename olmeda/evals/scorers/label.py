"""Which of several choices a system holds most likely."""

from __future__ import annotations

from collections.abc import Sequence

from olmeda.artifacts.examples import Instance
from olmeda.evals.registries import Mark, scorer


def most_likely(choices: Sequence[str], logprobs: Sequence[float]) -> str:
    """The choice of the highest log-probability; of equal ones the first."""
    assert len(choices) == len(logprobs) > 0
    best = max(range(len(choices)), key=lambda i: (logprobs[i], -i))
    return choices[best]


def accuracy(picked: Sequence[str], right: Sequence[str]) -> float:
    """The share of picks that are right; 0 of none."""
    return sum(p == r for p, r in zip(picked, right)) / len(right) if right else 0.0


@scorer("label")
def mark_label(answer: str, instance: Instance) -> list[Mark]:
    """1 where the picked choice is the right one."""
    return [Mark("accuracy", float(answer == instance.output), by="label")]
