"""What can be asked: the three things that an evaluation wants of a system."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class Answerer(Protocol):
    """What answers prompts: a local checkpoint, or anything else that can do these three."""

    def write(self, prompts: Sequence[str], max_new_tokens: int) -> list[str]:
        """An answer to each prompt, the most likely token at every step."""

    def weigh(self, prompts: Sequence[str], choices: Sequence[str]) -> list[list[float]]:
        """Log-probability (nats, end token included) of every choice after each prompt."""

    def surprise(self, prompts: Sequence[str], answers: Sequence[str]) -> list[float]:
        """Bits (end token included) of one given answer after each prompt."""
