"""The worker where something fails: who hears of it, and who does not."""

from __future__ import annotations

import queue

import pytest

from olmeda.base.errors import ResourceError
from olmeda.model.decode import Decoder, Prompt
from olmeda.serve.served import Served
from olmeda.serve.worker import Job, Worker


class Heard:
    """What a job was told until its end."""

    def __init__(self) -> None:
        self.said: queue.Queue[object] = queue.Queue()
        self.tokens: list[int] = []

    def __call__(self, tokens: list, ended: object) -> None:  # type: ignore[type-arg]
        self.tokens += [token.id for token in tokens]
        if ended is not None:
            self.said.put(ended)

    def end(self) -> object:
        return self.said.get(timeout=60)


def test_prompt_that_cannot_be_read_fails_alone(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    join = Decoder.join

    def fails(self: Decoder, prompts: list[Prompt]) -> object:
        if any(prompt.ids == [9] for prompt in prompts):
            raise RuntimeError("no memory")
        return join(self, prompts)

    monkeypatch.setattr(Decoder, "join", fails)
    worker = Worker(served.model, 4, 8)
    good, bad = Heard(), Heard()
    try:
        worker.start([Job(Prompt([5, 6], 150), good)])
        while not good.tokens:
            pass
        worker.start([Job(Prompt([9], 5), bad)])
        assert isinstance(bad.end(), RuntimeError)
        assert good.end() == "length"
        assert len(good.tokens) == 150
    finally:
        worker.close()


def test_memory_that_ends_costs_the_longest_text_alone(served: Served) -> None:
    each = 2 * 2 * 32 * 4  # keys and values, 2 layers, width 32, float32
    worker = Worker(served.model, 4, 8, memory=2 * 60 * each)
    short, long = Heard(), Heard()
    try:
        worker.start([Job(Prompt([5, 6], 50), short), Job(Prompt([7] * 30, 100), long)])
        assert isinstance(long.end(), ResourceError)
        assert short.end() == "length"
    finally:
        worker.close()
