"""One thread that computes: requests join its running batch and get their tokens as they come."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from olmeda.base.errors import ResourceError
from olmeda.model.decode import Decoder, Prompt, Row, Token
from olmeda.model.transformer import Transformer

T = TypeVar("T")
Ended = Literal["stop", "length"]
Hearer = Callable[[list[Token], Ended | BaseException | None], None]
"""Called in the worker's thread with new tokens and, at the end, why it ended."""


@dataclass(eq=False)
class Job:
    """One prompt on its way through the worker."""

    prompt: Prompt
    hear: Hearer
    row: Row | None = None
    gone: bool = False


@dataclass(frozen=True)
class _Call:
    """Other work with the model, done between two steps."""

    work: Callable[[], Any]
    done: Future[Any] = field(hash=False)


class Worker:
    """Owns the decoder. ``rows``: prompts continued together; ``waiting``: most that may queue;
    ``memory``: bytes of keys and values, 0 for half of the machine's."""

    def __init__(self, model: Transformer, rows: int, waiting: int, memory: int = 0) -> None:
        self.waiting = waiting
        self._decoder = Decoder(model, rows, memory=memory)
        self.model = self._decoder.model
        self._inbox: queue.SimpleQueue[Job | _Call | None] = queue.SimpleQueue()
        self._queue: deque[Job] = deque()
        self._running: dict[int, Job] = {}
        self._load = 0
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._work, name="decoder", daemon=True)
        self._thread.start()

    def check(self, ids: Sequence[int]) -> None:
        """Raise InputError for a prompt that the model cannot continue."""
        self._decoder.check(ids)

    def start(self, jobs: Sequence[Job]) -> None:
        """Put jobs into the queue. Raises ResourceError, and starts none, where it is full."""
        with self._lock:
            if self._load + len(jobs) > self.waiting + self._decoder.room:
                raise ResourceError("too many requests wait already; try again in a moment")
            self._load += len(jobs)
        for job in jobs:
            self._inbox.put(job)

    def leave(self, job: Job) -> None:
        """Nobody listens any more: compute nothing for it from now on."""
        job.gone = True

    def call(self, work: Callable[[], T]) -> Future[T]:
        """Do other work with the model, between two steps."""
        done: Future[T] = Future()
        self._inbox.put(_Call(work, done))
        return done

    def close(self) -> None:
        """End the thread; jobs that still run are told so."""
        self._inbox.put(None)
        self._thread.join()

    def _work(self) -> None:
        while True:
            idle = not self._queue and not self._running
            if not self._take(wait=idle):
                self._fail(ResourceError("the server is closing"))
                return
            try:
                self._step()
            except Exception as problem:  # whoever waits for an answer must hear of it
                self._fail(problem)
                self._decoder.clear()

    def _take(self, *, wait: bool) -> bool:
        """Move what came in to its place; False at the end."""
        while True:
            try:
                came = self._inbox.get(block=wait)
            except queue.Empty:
                return True
            wait = False
            if came is None:
                return False
            if isinstance(came, Job):
                self._queue.append(came)
                continue
            if came.done.set_running_or_notify_cancel():
                try:
                    came.done.set_result(came.work())
                except Exception as problem:
                    came.done.set_exception(problem)

    def _step(self) -> None:
        for job in [j for j in self._running.values() if j.gone and j.row is not None]:
            assert job.row is not None
            self._decoder.drop(job.row)
            self._end(job, None)
        joining: list[Job] = []
        while self._queue and len(joining) < self._decoder.free:
            job = self._queue.popleft()
            if job.gone:
                self._end(job, None)
            else:
                joining.append(job)
        found = self._join(joining) if joining else self._go_on()
        owners = {id(job.row): job for job in self._running.values()}
        for row, tokens in found:
            job = owners[id(row)]
            if row.ended is not None:
                self._end(job, row.ended, tokens)
            elif tokens:
                job.hear(tokens, None)

    def _join(self, joining: list[Job]) -> list[tuple[Row, list[Token]]]:
        """Read their prompts; where that fails, those that run already go on."""
        try:
            found = self._decoder.join([job.prompt for job in joining])
        except Exception as problem:
            for job in joining:
                self._end(job, problem)
            return []
        for job, (row, _) in zip(joining, found, strict=True):
            job.row = row
            self._running[id(job)] = job
        return found

    def _go_on(self) -> list[tuple[Row, list[Token]]]:
        """A token for all; where the memory ends, the longest text makes room for the others."""
        if not self._decoder.rows:
            return []
        try:
            return self._decoder.step()
        except ResourceError as problem:
            longest = max(self._decoder.rows, key=lambda r: len(r.prompt.ids) + len(r.tokens))
            job = next(job for job in self._running.values() if job.row is longest)
            self._decoder.drop(longest)
            self._end(job, problem)
            return []

    def _end(
        self, job: Job, why: Ended | BaseException | None, tokens: Sequence[Token] = ()
    ) -> None:
        self._running.pop(id(job), None)
        with self._lock:
            self._load -= 1
        if why is not None and not job.gone:
            job.hear(list(tokens), why)

    def _fail(self, problem: BaseException) -> None:
        for job in [*self._running.values(), *self._queue]:
            self._end(job, problem)
        self._queue.clear()
