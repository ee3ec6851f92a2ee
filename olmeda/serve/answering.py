"""Answers under way: tokens from the worker's thread become text in the server's loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from olmeda.model.decode import Prompt, Token
from olmeda.serve.served import Served
from olmeda.serve.text import TextStream
from olmeda.serve.worker import Ended, Job, Worker


@dataclass
class Choice:
    """One answer: its text so far, its tokens, where in the text each began, and why it ended."""

    index: int
    prompt: Prompt
    stream: TextStream
    tokens: list[Token] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    ended: Ended | None = None
    told: int = 0
    """Tokens that earlier pieces told."""

    def take(self, tokens: Sequence[Token], ended: Ended | None) -> str:
        """Add tokens; the text that they make certain."""
        piece = ""
        for token in tokens:
            if self.stream.stopped:
                break
            self.tokens.append(token)
            self.offsets.append(self.stream.reached)
            piece += self.stream.take(token.id)
        if ended is not None and not self.stream.stopped:
            piece += self.stream.finish()
        self.ended = "stop" if self.stream.stopped else ended
        if self.stream.stopped:
            self._cut()
        return piece

    def untold(self) -> tuple[list[Token], list[int]]:
        """Tokens since the last call, with where they began in the text."""
        first, self.told = self.told, len(self.tokens)
        return self.tokens[first:], self.offsets[first:]

    def mean_logprob(self) -> float:
        """By token: what ``best_of`` compares."""
        return sum(t.logprob for t in self.tokens) / max(1, len(self.tokens))

    def _cut(self) -> None:
        """Leave out tokens that only spell the stop string."""
        end = len(self.stream.text)
        while self.tokens and self.offsets[-1] >= end and len(self.tokens) > self.told:
            self.tokens.pop()
            self.offsets.pop()


@dataclass(frozen=True)
class Piece:
    """New text of one choice; the choice knows whether it has ended."""

    choice: Choice
    text: str


class Answering:
    """Some prompts at work. Use ``pieces`` once; leaving it early stops the work."""

    def __init__(
        self, served: Served, worker: Worker, prompts: Sequence[Prompt], stops: Sequence[str]
    ) -> None:
        """Starts at once. Raises ResourceError where too many requests wait."""
        self.worker = worker
        self.choices = [
            Choice(index, prompt, TextStream(served.tokenizer, stops, prompt.ids))
            for index, prompt in enumerate(prompts)
        ]
        self._came: asyncio.Queue[tuple[int, list[Token], Ended | BaseException | None]]
        self._came = asyncio.Queue()
        loop = asyncio.get_running_loop()
        self._jobs = [
            Job(choice.prompt, partial(_pass_on, loop, self._came, choice.index))
            for choice in self.choices
        ]
        worker.start(self._jobs)

    async def pieces(self) -> AsyncIterator[Piece]:
        """Text as it comes, of all choices; the last piece of each has ``choice.ended``."""
        left = len(self.choices)
        try:
            while left:
                index, tokens, ended = await self._came.get()
                choice = self.choices[index]
                if choice.ended is not None:
                    continue
                if isinstance(ended, BaseException):
                    raise ended
                text = choice.take(tokens, ended)
                if choice.ended is not None:
                    left -= 1
                    self.worker.leave(self._jobs[index])
                if text or choice.ended is not None:
                    yield Piece(choice, text)
        finally:
            self.leave()

    async def finish(self) -> list[Choice]:
        """All choices at their end."""
        async for _ in self.pieces():
            pass
        return self.choices

    def leave(self) -> None:
        """Stop whatever still runs."""
        for job in self._jobs:
            self.worker.leave(job)


def _pass_on(
    loop: asyncio.AbstractEventLoop,
    came: asyncio.Queue[tuple[int, list[Token], Ended | BaseException | None]],
    index: int,
    tokens: list[Token],
    ended: Ended | BaseException | None,
) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(came.put_nowait, (index, tokens, ended))
