"""Whether an answer is the expected one."""

from __future__ import annotations

from olmeda.artifacts.examples import Instance
from olmeda.evals.registries import Mark, scorer


@scorer("exact_match")
def mark_exact_match(answer: str, instance: Instance) -> list[Mark]:
    """1 where the answer equals the expected output, spaces at the ends apart."""
    return [Mark("exact_match", float(answer.strip() == instance.output.strip()))]
