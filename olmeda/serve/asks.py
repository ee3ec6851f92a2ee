"""What clients may ask, as OpenAI's API has it: checked key by key, nothing silently ignored."""

from __future__ import annotations

from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from olmeda.base.errors import InputError, unknown

A = TypeVar("A", bound=BaseModel)
MOST_CHOICES = 128
"""Answers to one request, over all prompts."""
MOST_BEST = 20
"""Most probable tokens told beside each token."""


class _Ask(BaseModel):
    """What completions and chats have in common."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str = ""
    n: int = Field(1, ge=1, le=MOST_CHOICES)
    stop: str | list[str] | None = None
    stream: bool = False
    stream_options: dict[str, bool] | None = None
    seed: int | None = None
    temperature: float | None = Field(None, ge=0, le=2)
    top_p: float | None = Field(None, ge=0, le=1)
    top_k: int | None = Field(None, ge=-1)
    """Not OpenAI's; -1 and 0 keep all."""
    min_p: float | None = Field(None, ge=0, le=1)
    """Not OpenAI's."""
    logit_bias: dict[int, float] | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    user: str | None = None
    metadata: dict[str, str] | None = None
    store: bool | None = None

    @model_validator(mode="after")
    def _is_supported(self) -> _Ask:
        if self.frequency_penalty or self.presence_penalty:
            raise ValueError("frequency_penalty and presence_penalty are not offered; leave them 0")
        if self.store:
            raise ValueError("nothing is stored here; leave store out")
        if len(self.stops) > 16 or any(not s for s in self.stops):
            raise ValueError("stop takes up to 16 strings, none empty")
        if any(not -100 <= b <= 100 for b in (self.logit_bias or {}).values()):
            raise ValueError("logit_bias takes values from -100 to 100")
        return self

    @property
    def stops(self) -> list[str]:
        """The stop strings as a list."""
        if self.stop is None:
            return []
        return [self.stop] if isinstance(self.stop, str) else self.stop

    @property
    def tells_usage(self) -> bool:
        """Whether a stream ends with a count of tokens."""
        return bool((self.stream_options or {}).get("include_usage"))


class CompletionAsk(_Ask):
    """The body of ``POST /v1/completions``."""

    prompt: str | list[str] | list[int] | list[list[int]] = ""
    max_tokens: int | None = Field(16, ge=0)
    logprobs: int | None = Field(None, ge=0, le=MOST_BEST)
    echo: bool = False
    best_of: int | None = Field(None, ge=1, le=MOST_CHOICES)
    suffix: str | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> CompletionAsk:
        if not self.prompts:
            raise ValueError("prompt is an empty list; give a text, ids, or a list of either")
        if self.suffix:
            raise ValueError("suffix is not offered: the model only continues")
        if self.best_of is not None and self.best_of < self.n:
            raise ValueError(f"best_of {self.best_of} must be at least n {self.n}")
        if self.stream and (self.best_of or self.n) > self.n:
            raise ValueError("best_of cannot be streamed: the best is known at the end")
        if len(self.prompts) * (self.best_of or self.n) > MOST_CHOICES:
            raise ValueError(f"prompts times n or best_of must be at most {MOST_CHOICES}")
        if self.max_tokens == 0 and not self.echo:
            raise ValueError("max_tokens 0 makes sense only with echo")
        return self

    @property
    def prompts(self) -> list[str] | list[list[int]]:
        """The prompts one by one, as text or as ids."""
        given: Any = self.prompt
        if isinstance(given, str) or (given and isinstance(given[0], int)):
            return [given]
        return list(given)


class Part(BaseModel):
    """A piece of a message's content."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Literal["text"]
    text: str


class ChatMessage(BaseModel):
    """One turn. Keys without a value, which clients send back from answers, are let pass."""

    model_config = ConfigDict(extra="allow", frozen=True)

    role: str
    content: str | list[Part] | None = None
    type: Literal["text"] | None = None
    """Not OpenAI's; lm-evaluation-harness sends it."""

    @model_validator(mode="after")
    def _is_text(self) -> ChatMessage:
        asked = [key for key, value in (self.model_extra or {}).items() if value]
        if asked:
            raise ValueError(f"{asked[0]} is not offered; a message has a role and a text")
        return self

    @property
    def text(self) -> str:
        """The content as one string."""
        if isinstance(self.content, list):
            return "".join(part.text for part in self.content)
        return self.content or ""


class ChatAsk(_Ask):
    """The body of ``POST /v1/chat/completions``."""

    messages: list[ChatMessage] = Field(min_length=1)
    max_tokens: int | None = Field(None, ge=1)
    max_completion_tokens: int | None = Field(None, ge=1)
    logprobs: bool | None = None
    top_logprobs: int | None = Field(None, ge=0, le=MOST_BEST)
    response_format: dict[str, Any] | None = None

    @model_validator(mode="after")
    def _is_plain_text(self) -> ChatAsk:
        if self.response_format not in (None, {"type": "text"}):
            raise ValueError("response_format: only plain text is offered")
        if self.top_logprobs is not None and not self.logprobs:
            raise ValueError("top_logprobs needs logprobs: true")
        return self


class TokenizeAsk(BaseModel):
    """The body of ``POST /tokenize``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    prompt: str
    model: str = ""
    add_special_tokens: bool = False
    return_token_strs: bool = False


class DetokenizeAsk(BaseModel):
    """The body of ``POST /detokenize``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tokens: list[int]
    model: str = ""


def read_ask(kind: type[A], body: bytes) -> A:
    """The body checked. Raises InputError that names the first wrong key."""
    try:
        return kind.model_validate_json(body)
    except ValidationError as problem:
        first = problem.errors(include_url=False, include_context=False)[0]
    where = ".".join(str(p) for p in first["loc"])
    if first["type"] == "extra_forbidden":
        raise InputError(unknown("parameter", where, kind.model_fields))
    said = first["msg"].removeprefix("Value error, ")
    raise InputError(f"{where}: {said}" if where else said)
