"""Examples: what a model is taught with or asked, and what it answered, as rows of JSON lines.

The sixth kind of artifact: a folder of ``*.jsonl`` files. Instructions, preference trios and
generated outputs pass between rooms that may not import each other, so their rows live here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from olmeda.base.errors import InputError
from olmeda.base.files import read_rows

OUTPUTS = "outputs.jsonl"
"""The file with what systems answered, beside their scores."""


class Message(msgspec.Struct, frozen=True):
    """One turn of a conversation: role is system, user or assistant."""

    role: str
    content: str


class Conversation(msgspec.Struct, frozen=True):
    """One row to finetune on (the row format of the Tulu and SciRIFF mixes)."""

    dataset: str
    id: str
    messages: list[Message]


class Instance(msgspec.Struct, frozen=True):
    """One instance of an instruction task: rendered input, expected output, and what they are of.

    ``metadata`` holds at least ``split`` and, for classification, ``choices``; a generation
    instance may carry what its checks need (for example the signature it must agree with).
    """

    id: str
    task: str
    input: str
    output: str
    metadata: dict[str, Any] = {}


class Trio(msgspec.Struct, frozen=True):
    """A preference: the same prompt with a better and a worse answer, in a subset of a section."""

    id: str
    prompt: str
    chosen: str
    rejected: str
    subset: str
    section: str
    metadata: dict[str, Any] = {}


class Output(msgspec.Struct, frozen=True):
    """What a system answered on one item; the reference rides along for metrics and raters."""

    system: str
    task: str
    item: str
    prompt: str
    reference: str
    text: str
    metadata: dict[str, Any] = {}


def read_outputs(folders: Sequence[Path]) -> Iterator[Output]:
    """The outputs of several runs, one after another. Raises InputError where one has none."""
    for folder in folders:
        if not (folder / OUTPUTS).is_file():
            raise InputError(f"{folder / OUTPUTS}: no such file; name a folder made by evals.run")
        yield from read_rows(folder / OUTPUTS, Output)
