"""A prompt with its two answers as conversations and as text.

RewardBench ignores the roles of a prompt given as messages: positions alternate user, assistant,
so that a system message speaks as the user. Here roles are kept; ``compat: rewardbench`` does as
it does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from jinja2.sandbox import ImmutableSandboxedEnvironment

from olmeda.artifacts.examples import Message

Compat = Literal["rewardbench"] | None


def conversation(
    prompt: str | Sequence[Message], answer: str | None = None, compat: Compat = None
) -> list[Message]:
    """The messages of a prompt (a text is the user's) and, if given, the assistant's answer."""
    if isinstance(prompt, str):
        turns = [Message("user", prompt)]
    elif compat == "rewardbench":
        turns = [Message("assistant" if i % 2 else "user", m.content) for i, m in enumerate(prompt)]
    else:
        turns = list(prompt)
    return turns if answer is None else [*turns, Message("assistant", answer)]


def rendered(messages: Sequence[Message], template: str, eos: str) -> str:
    """Messages through a chat template (Jinja, sandboxed), without a generation prompt."""
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    listed = [{"role": m.role, "content": m.content} for m in messages]
    return environment.from_string(template).render(
        messages=listed, eos_token=eos, bos_token="", add_generation_prompt=False
    )
