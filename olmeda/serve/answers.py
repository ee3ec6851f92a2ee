"""The JSON of answers, shape by shape as OpenAI's API has it."""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from olmeda.model.decode import Token
from olmeda.serve.served import Served

Json = dict[str, Any]


@dataclass(frozen=True)
class Head:
    """What every piece of one response repeats."""

    kind: str
    id: str
    model: str
    created: int = field(default_factory=lambda: int(time.time()))

    @classmethod
    def new(cls, kind: str, model: str) -> Head:
        """A fresh id; ``kind`` is what the API calls ``object``."""
        prefix = "chatcmpl" if kind.startswith("chat") else "cmpl"
        return cls(kind, f"{prefix}-{secrets.token_hex(12)}", model)

    def with_choices(self, choices: list[Json], usage: Json | None = None) -> Json:
        """A response or a piece of one."""
        told: Json = {
            "id": self.id,
            "object": self.kind,
            "created": self.created,
            "model": self.model,
            "choices": choices,
        }
        return told if usage is None else {**told, "usage": usage}


def usage(prompt_tokens: int, completion_tokens: int) -> Json:
    """Tokens read and written."""
    return {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
    }


def completion_logprobs(
    served: Served, tokens: Sequence[Token], offsets: Sequence[int], *, first_is_free: bool
) -> Json:
    """``logprobs`` of a completion. ``first_is_free``: the first token follows nothing."""
    free = [first_is_free and n == 0 for n in range(len(tokens))]
    return {
        "tokens": [served.token_text(t.id) for t in tokens],
        "token_logprobs": [None if f else t.logprob for t, f in zip(tokens, free, strict=True)],
        "top_logprobs": [
            None if f else _by_text(served, t) for t, f in zip(tokens, free, strict=True)
        ],
        "text_offset": list(offsets),
    }


def _by_text(served: Served, token: Token) -> dict[str, float]:
    """The best tokens and the drawn one; of tokens that are written alike, the likelier."""
    told: dict[str, float] = {}
    for id, logprob in (*token.best, (token.id, token.logprob)):
        text = served.token_text(id)
        told[text] = max(logprob, told.get(text, logprob))
    return told


def chat_logprobs(served: Served, tokens: Sequence[Token]) -> Json:
    """``logprobs`` of a chat's choice."""
    content = []
    for token in tokens:
        best = [_chat_token(served, id, logprob) for id, logprob in token.best]
        content.append({**_chat_token(served, token.id, token.logprob), "top_logprobs": best})
    return {"content": content, "refusal": None}


def _chat_token(served: Served, id: int, logprob: float) -> Json:
    text = served.token_text(id)
    # a token that ends within a character has no text of its own to give the bytes of
    whole = "\ufffd" not in text
    return {"token": text, "logprob": logprob, "bytes": list(text.encode()) if whole else None}


def error(message: str, kind: str, code: str | None = None, param: str | None = None) -> Json:
    """The body of an error."""
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}
