"""The chat format: Tulu's turns, with role markers that text can never forge.

::

    <|user|>
    {content}
    <|assistant|>
    {content}<|endoftext|>

A newline stands between turns and none after the last answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from olmeda.artifacts.examples import Message
from olmeda.base.errors import InputError, unknown

END, PAD = "<|endoftext|>", "<|padding|>"
ROLES = {"system": "<|system|>", "user": "<|user|>", "assistant": "<|assistant|>"}
SPECIAL_TOKENS = (END, PAD, *ROLES.values())
"""In the order of their ids, from 0."""

CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|' + message['role'] + '|>\\n' + message['content'] }}"
    "{% if message['role'] == 'assistant' %}{{ eos_token }}"
    "{% if not loop.last %}{{ '\\n' }}{% endif %}"
    "{% else %}{{ '\\n' }}{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}"
    "{% if messages[-1]['role'] == 'assistant' %}{{ '\\n' }}{% endif %}"
    "{{ '<|assistant|>\\n' }}{% endif %}"
)
"""The same format for ``apply_chat_template`` of transformers."""


@dataclass(frozen=True)
class Piece:
    """Plain text or one special token of a conversation; ``answer`` if a model learns it."""

    text: str
    special: bool = False
    answer: bool = False


def pieces(messages: Sequence[Message], generation_prompt: bool) -> Iterator[Piece]:
    """Cut a conversation into special tokens and texts that are each encoded by themselves.

    The newline after ``<|assistant|>`` is a piece of its own, so the ids of a prompt are exactly
    the first ids of the finished conversation. Raises InputError for an unknown role.
    """
    for number, message in enumerate(messages):
        if message.role not in ROLES:
            raise InputError(unknown("role", message.role, ROLES))
        yield Piece(ROLES[message.role], special=True)
        if message.role != "assistant":
            yield Piece(f"\n{message.content}\n")
            continue
        yield Piece("\n")
        yield Piece(message.content, answer=True)
        yield Piece(END, special=True, answer=True)
        if number + 1 < len(messages) or generation_prompt:
            yield Piece("\n")
    if generation_prompt:
        yield Piece(ROLES["assistant"], special=True)
        yield Piece("\n")
