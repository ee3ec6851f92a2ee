"""Chat messages to ids: our own format piece by piece, another model's by its own template.

A template is a program that came with a checkpoint, so it runs in jinja's sandbox. What it writes
is tokenized with special tokens recognised; a message may therefore not contain one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import jinja2
import tokenizers
from jinja2 import nodes
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from olmeda.artifacts.examples import Message
from olmeda.base.errors import ArtifactError, InputError
from olmeda.base.files import read_json
from olmeda.tokens.chat import CHAT_TEMPLATE
from olmeda.tokens.tokenizer import Tokenizer

ROLES = ("system", "developer", "user", "assistant", "tool")
"""Who may speak under a foreign template, which would write any other word as it comes."""


class _Generation(Extension):
    """``{% generation %}`` marks answers for training; here its content is all that matters."""

    tags = {"generation"}

    def parse(self, parser: Parser) -> list[nodes.Node]:
        """Take the tags away."""
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


class ChatFormat:
    """How one checkpoint reads a conversation. ``template`` is its text; None if it has none."""

    def __init__(self, folder: Path, tokenizer: Tokenizer) -> None:
        """Raises ArtifactError for a template that is no jinja."""
        self.tokenizer = tokenizer
        self.names = _special_names(folder)
        self.template = _template(folder)
        self.ours = self.template in (None, CHAT_TEMPLATE) and _has_our_roles(tokenizer)
        try:
            self._compiled = _environment().from_string(self.template or CHAT_TEMPLATE)
        except jinja2.TemplateError as problem:
            raise ArtifactError(f"{folder}: its chat template is no jinja: {problem}") from None
        text = (folder / "tokenizer.json").read_text(encoding="utf-8")
        self._reader = tokenizers.Tokenizer.from_str(text)
        self._reader.no_padding()
        self._reader.no_truncation()
        added = self._reader.get_added_tokens_decoder().values()
        self._special = sorted(t.content for t in added if t.special)

    def ids(self, messages: Sequence[Mapping[str, str]]) -> list[int]:
        """The ids of a conversation up to where the answer begins.

        Raises InputError for messages that the template refuses or that hold a special token.
        """
        if self.ours:
            told = [Message(str(m["role"]), m["content"]) for m in messages]
            return self.tokenizer.encode_chat(told, generation_prompt=True)[0]
        for message in messages:
            if message["role"] not in ROLES:
                raise InputError(f"no role {message['role']!r}; there are {', '.join(ROLES)}")
            forged = [token for token in self._special if token in message["content"]]
            if forged:
                raise InputError(
                    f"a message contains the special token {forged[0]!r}; leave it out"
                )
        return self.read(self.render(messages))

    def render(self, messages: Sequence[Mapping[str, str]], *, prompt: bool = True) -> str:
        """The conversation as text, special tokens written out; ``prompt``: up to the answer."""
        if self.template is None and not self.ours:
            raise InputError(
                "this checkpoint has no chat template and its tokenizer no role markers; ask it "
                "through /v1/completions, or tune it on conversations first"
            )
        try:
            return self._compiled.render(
                messages=[dict(m) for m in messages], add_generation_prompt=prompt, **self.names
            )
        except Exception as problem:  # a foreign program may fail in any way
            raise InputError(f"the chat template refuses these messages: {problem}") from None

    def read(self, text: str) -> list[int]:
        """The ids of a rendered conversation: special tokens in it are what they say."""
        ids: list[int] = self._reader.encode(text, add_special_tokens=False).ids
        return ids


def _environment() -> ImmutableSandboxedEnvironment:
    made = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols, _Generation]
    )
    made.globals["raise_exception"] = _refuse
    made.globals["strftime_now"] = lambda form: datetime.now().strftime(form)
    return made


def _refuse(reason: str) -> None:
    raise jinja2.TemplateError(reason)


def _template(folder: Path) -> str | None:
    file = folder / "chat_template.jinja"
    if file.is_file():
        return file.read_text(encoding="utf-8")
    held: Any = read_json(folder / "tokenizer_config.json", dict[str, Any]).get("chat_template")
    if isinstance(held, list):  # several by name
        named = {entry["name"]: entry["template"] for entry in held}
        held = named.get("default")
    return None if held is None else str(held)


def _special_names(folder: Path) -> dict[str, str]:
    held = read_json(folder / "tokenizer_config.json", dict[str, Any])
    names = {}
    for key in ("bos_token", "eos_token", "pad_token", "unk_token"):
        value = held.get(key)
        names[key] = value["content"] if isinstance(value, dict) else value or ""
    return names


def _has_our_roles(tokenizer: Tokenizer) -> bool:
    try:
        tokenizer.encode_chat([Message("user", "")], generation_prompt=True)
    except ArtifactError:
        return False
    return True
