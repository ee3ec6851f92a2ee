"""What ``/v1/completions`` does: echo, score, continue."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from olmeda.base.errors import InputError
from olmeda.model.decode import Prompt, Token
from olmeda.model.sampling import Sampling
from olmeda.serve.answering import Answering, Choice
from olmeda.serve.answers import Head, Json, completion_logprobs, usage
from olmeda.serve.asks import ChatAsk, CompletionAsk
from olmeda.serve.score import score
from olmeda.serve.served import Served
from olmeda.serve.text import TextStream
from olmeda.serve.worker import Worker


@dataclass(frozen=True)
class Begun:
    """One prompt of a request: its ids, and what ``echo`` puts before the answer."""

    ids: list[int]
    text: str
    scored: list[Token]

    def offsets(self, served: Served) -> list[int]:
        """Where each scored token begins in the text."""
        stream, found = TextStream(served.tokenizer), []
        for token in self.scored:
            found.append(min(stream.reached, len(self.text)))
            stream.take(token.id)
        return found


class Completion:
    """One request at ``/v1/completions``, checked and ready to be answered."""

    def __init__(self, served: Served, worker: Worker, ask: CompletionAsk) -> None:
        """Raises InputError for a prompt that cannot be continued as asked."""
        self.served, self.worker, self.ask = served, worker, ask
        self.head = Head.new("text_completion", served.name)
        given = [p if isinstance(p, list) else served.encode(p) for p in ask.prompts]
        for ids in given:
            worker.check(ids)
        texts = [p if isinstance(p, str) else served.tokenizer.decode(p) for p in ask.prompts]
        self.begun = [Begun(i, t if ask.echo else "", []) for i, t in zip(given, texts)]
        self.each = ask.best_of or ask.n
        best = -1 if ask.logprobs is None else ask.logprobs
        if self.each > ask.n:
            best = max(best, 0)
        seed = secrets.randbits(32) if ask.seed is None else ask.seed & 0xFFFFFFFFFFFFFFFF
        self.prompts = [
            Prompt(
                ids, room(served, len(ids), ask.max_tokens), served.ends, sampling(ask),
                (seed, number, copy), best, bias(served, ask),
            )
            for number, ids in enumerate(given) for copy in range(self.each)
        ]  # fmt: skip

    async def whole(self) -> Json:
        """The response in one piece."""
        await self._score()
        if self.ask.max_tokens == 0:
            told = [self._choice(i, b, None) for i, b in enumerate(self.begun)]
            return self.head.with_choices(told, usage(self._read(), 0))
        answering = Answering(self.served, self.worker, self.prompts, self.ask.stops)
        choices = await answering.finish()
        told = []
        for number, begun in enumerate(self.begun):
            mine = choices[number * self.each : (number + 1) * self.each]
            if self.each > self.ask.n:  # stable: of equals the first
                mine = sorted(mine, key=lambda c: -c.mean_logprob())[: self.ask.n]
            told += [self._choice(len(told) + k, begun, c) for k, c in enumerate(mine)]
        written = sum(len(c.tokens) for c in choices)
        return self.head.with_choices(told, usage(self._read(), written))

    async def streamed(self) -> AsyncIterator[Json]:
        """The response in pieces."""
        await self._score()
        if self.ask.max_tokens == 0:
            yield await self.whole()
            return
        answering = Answering(self.served, self.worker, self.prompts, self.ask.stops)
        try:
            if self.ask.echo:
                for choice in answering.choices:
                    begun = self.begun[choice.index // self.each]
                    yield self.head.with_choices([self._piece(choice, begun.text, begun, True)])
            async for piece in answering.pieces():
                begun = self.begun[piece.choice.index // self.each]
                yield self.head.with_choices([self._piece(piece.choice, piece.text, begun, False)])
            if self.ask.tells_usage:
                written = sum(len(c.tokens) for c in answering.choices)
                yield self.head.with_choices([], usage(self._read(), written))
        finally:
            answering.leave()

    def _read(self) -> int:
        return sum(len(b.ids) for b in self.begun)

    async def _score(self) -> None:
        if not (self.ask.echo and self.ask.logprobs is not None) or self.begun[0].scored:
            return
        texts, best = [b.ids for b in self.begun], self.ask.logprobs
        work = self.worker.call(lambda: score(self.worker.model, texts, best))
        found = await asyncio.wrap_future(work)
        for begun, tokens in zip(self.begun, found, strict=True):
            begun.scored.extend(tokens)

    def _choice(self, index: int, begun: Begun, choice: Choice | None) -> Json:
        told: Json = {"index": index, "text": begun.text, "logprobs": None}
        tokens, offsets = list(begun.scored), begun.offsets(self.served)
        if choice is not None:
            told["text"] += choice.stream.text
            tokens += choice.tokens
            offsets += [len(begun.text) + o for o in choice.offsets]
        if self.ask.logprobs is not None:
            told["logprobs"] = completion_logprobs(
                self.served, tokens, offsets, first_is_free=self.ask.echo
            )
        told["finish_reason"] = "length" if choice is None else choice.ended
        return told

    def _piece(self, choice: Choice, text: str, begun: Begun, echo: bool) -> Json:
        told: Json = {"index": choice.index, "text": text, "logprobs": None}
        if self.ask.logprobs is not None:
            if echo:
                tokens, offsets = begun.scored, begun.offsets(self.served)
            else:
                tokens, offsets = choice.untold()
                offsets = [len(begun.text) + o for o in offsets]
            told["logprobs"] = completion_logprobs(self.served, tokens, offsets, first_is_free=echo)
        told["finish_reason"] = None if echo else choice.ended
        return told


def room(served: Served, prompt: int, most: int | None) -> int:
    """How many tokens may be written. Raises InputError where the context has no room for them."""
    left = served.context - prompt
    if most is not None and most > left:
        raise InputError(
            f"the model's context is {served.context} tokens; {prompt} of the prompt and {most} "
            f"asked for are {prompt + most}: shorten the prompt or ask for at most {left}"
        )
    return left if most is None else most


def sampling(ask: CompletionAsk | ChatAsk) -> Sampling:
    """How tokens are drawn, with the API's defaults (temperature 1, everything kept)."""
    return Sampling(
        1.0 if ask.temperature is None else ask.temperature,
        max(0, ask.top_k or 0),
        1.0 if ask.top_p is None else ask.top_p,
        ask.min_p or 0.0,
    )


def bias(served: Served, ask: CompletionAsk | ChatAsk) -> dict[int, float]:
    """``logit_bias`` by id. Raises InputError for an id that the model does not know."""
    given = ask.logit_bias or {}
    size = served.model.config.vocab_size
    foreign: Sequence[int] = [i for i in given if not 0 <= i < size]
    if foreign:
        raise InputError(
            f"logit_bias: there is no token {foreign[0]}; ids run from 0 to {size - 1}"
        )
    return given
