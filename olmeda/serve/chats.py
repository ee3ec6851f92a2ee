"""What ``/v1/chat/completions`` does: one conversation in, ``n`` answers out."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator

from olmeda.model.decode import Prompt
from olmeda.serve.answering import Answering, Choice
from olmeda.serve.answers import Head, Json, chat_logprobs, usage
from olmeda.serve.asks import ChatAsk
from olmeda.serve.completions import bias, room, sampling
from olmeda.serve.served import Served
from olmeda.serve.worker import Worker


class Chat:
    """One request at ``/v1/chat/completions``, checked and ready to be answered."""

    def __init__(self, served: Served, worker: Worker, ask: ChatAsk) -> None:
        """Raises InputError for messages that the model cannot answer as asked."""
        self.served, self.worker, self.ask = served, worker, ask
        self.ids = served.chat.ids([{"role": m.role, "content": m.text} for m in ask.messages])
        worker.check(self.ids)
        most = room(served, len(self.ids), ask.max_completion_tokens or ask.max_tokens)
        seed = secrets.randbits(32) if ask.seed is None else ask.seed & 0xFFFFFFFFFFFFFFFF
        best = (ask.top_logprobs or 0) if ask.logprobs else -1
        self.prompts = [
            Prompt(
                self.ids, most, served.ends, sampling(ask), (seed, 0, copy), best,
                bias(served, ask),
            )
            for copy in range(ask.n)
        ]  # fmt: skip

    async def whole(self) -> Json:
        """The response in one piece."""
        head = Head.new("chat.completion", self.served.name)
        answering = Answering(self.served, self.worker, self.prompts, self.ask.stops)
        choices = await answering.finish()
        told = [
            {
                "index": choice.index,
                "message": {
                    "role": "assistant",
                    "content": choice.stream.text,
                    "refusal": None,
                },
                "logprobs": self._logprobs(choice),
                "finish_reason": choice.ended,
            }
            for choice in choices
        ]
        return head.with_choices(told, self._usage(choices))

    async def streamed(self) -> AsyncIterator[Json]:
        """The response in pieces: who speaks, the text as it comes, why it ended."""
        head = Head.new("chat.completion.chunk", self.served.name)
        answering = Answering(self.served, self.worker, self.prompts, self.ask.stops)
        try:
            for choice in answering.choices:
                yield head.with_choices(
                    [_delta(choice.index, {"role": "assistant", "content": ""})]
                )
            async for piece in answering.pieces():
                choice = piece.choice
                if piece.text:
                    told = _delta(choice.index, {"content": piece.text})
                    yield head.with_choices([{**told, "logprobs": self._logprobs(choice)}])
                if choice.ended is not None:
                    yield head.with_choices(
                        [{**_delta(choice.index, {}), "finish_reason": choice.ended}]
                    )
            if self.ask.tells_usage:
                yield head.with_choices([], self._usage(answering.choices))
        finally:
            answering.leave()

    def _logprobs(self, choice: Choice) -> Json | None:
        if not self.ask.logprobs:
            return None
        return chat_logprobs(self.served, choice.untold()[0])

    def _usage(self, choices: list[Choice]) -> Json:
        return usage(len(self.ids), sum(len(c.tokens) for c in choices))


def _delta(index: int, delta: Json) -> Json:
    return {"index": index, "delta": delta, "logprobs": None, "finish_reason": None}
