"""The server's routes: OpenAI's completions and chats, the tokenizer, and a page to chat."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from olmeda.base.errors import ConfigError, InputError, OlmedaError, ResourceError
from olmeda.base.log import say
from olmeda.serve.answers import Json, error
from olmeda.serve.asks import ChatAsk, CompletionAsk, DetokenizeAsk, TokenizeAsk, read_ask
from olmeda.serve.chats import Chat
from olmeda.serve.completions import Completion
from olmeda.serve.page import chat_page
from olmeda.serve.served import Served
from olmeda.serve.worker import Worker

T = TypeVar("T")
BUSY_SECONDS = 1


@dataclass(frozen=True)
class Api:
    """The handlers, over one model and one worker. ``longest``: bytes of a body that are read."""

    served: Served
    worker: Worker
    longest: int

    async def models(self, request: Request) -> Response:
        """``GET /v1/models`` and ``/v1/models/NAME``."""
        held = {
            "id": self.served.name,
            "object": "model",
            "created": 0,
            "owned_by": "olmeda",
            "max_model_len": self.served.context,
        }
        if "name" not in request.path_params:
            return JSONResponse({"object": "list", "data": [held]})
        self._check_name(request.path_params["name"])
        return JSONResponse(held)

    async def completions(self, request: Request) -> Response:
        """``POST /v1/completions``."""
        ask = read_ask(CompletionAsk, await self._body(request))
        self._check_name(ask.model)
        done = await asyncio.to_thread(Completion, self.served, self.worker, ask)
        return await _answer(request, done, ask.stream)

    async def chats(self, request: Request) -> Response:
        """``POST /v1/chat/completions``."""
        ask = read_ask(ChatAsk, await self._body(request))
        self._check_name(ask.model)
        done = await asyncio.to_thread(Chat, self.served, self.worker, ask)
        return await _answer(request, done, ask.stream)

    async def tokenize(self, request: Request) -> Response:
        """``POST /tokenize``: ids of a text; of a special token written alone, its id."""
        ask = read_ask(TokenizeAsk, await self._body(request))
        self._check_name(ask.model)
        return JSONResponse(await asyncio.to_thread(self._tokenized, ask))

    def _tokenized(self, ask: TokenizeAsk) -> Json:
        names = self.served.chat.names.values()
        if ask.prompt and ask.prompt in names:
            ids = [self.served.tokenizer.special(ask.prompt)]
        else:
            ids = self.served.tokenizer.encode(ask.prompt)
        told: Json = {"tokens": ids, "count": len(ids), "max_model_len": self.served.context}
        if ask.return_token_strs:
            told["token_strs"] = [self.served.token_text(i) for i in ids]
        return told

    async def detokenize(self, request: Request) -> Response:
        """``POST /detokenize``: the text of ids."""
        ask = read_ask(DetokenizeAsk, await self._body(request))
        self._check_name(ask.model)
        size = self.served.tokenizer.vocab_size
        if any(not 0 <= i < size for i in ask.tokens):
            raise InputError(f"tokens: ids run from 0 to {size - 1}")
        text = await asyncio.to_thread(self.served.tokenizer.decode, ask.tokens, False)
        return JSONResponse({"prompt": text})

    async def tokenizer_info(self, request: Request) -> Response:
        """``GET /tokenizer_info``: special tokens and the chat template, as they are on disk."""
        template = self.served.chat.template
        return JSONResponse({**self.served.chat.names, "chat_template": template})

    async def page(self, request: Request) -> Response:
        """``GET /``: a page to chat with the model."""
        return chat_page(self.served.name)

    async def health(self, request: Request) -> Response:
        """``GET /health``."""
        return JSONResponse({"status": "ok"})

    def _check_name(self, name: str) -> None:
        if name not in ("", self.served.name):
            raise HTTPException(404, f"no model {name!r} here; this is {self.served.name!r}")

    async def _body(self, request: Request) -> bytes:
        if request.headers.get("content-type", "").partition(";")[0] != "application/json":
            raise HTTPException(415, "send application/json")
        body = bytearray()
        async for part in request.stream():
            body += part
            if len(body) > self.longest:
                raise HTTPException(413, f"the request is longer than {self.longest} bytes")
        return bytes(body)


def build_app(served: Served, worker: Worker, longest: int) -> Starlette:
    """The application, without a guard at its door."""
    api = Api(served, worker, longest)
    routes = [
        Route("/", api.page),
        Route("/health", api.health),
        Route("/v1/models", api.models),
        Route("/v1/models/{name:path}", api.models),
        Route("/v1/completions", api.completions, methods=["POST"]),
        Route("/v1/chat/completions", api.chats, methods=["POST"]),
        Route("/tokenize", api.tokenize, methods=["POST"]),
        Route("/detokenize", api.detokenize, methods=["POST"]),
        Route("/tokenizer_info", api.tokenizer_info),
    ]
    handlers: dict[Any, Any] = {
        OlmedaError: _refused,
        HTTPException: _refused,
        Exception: _failed,
    }
    return Starlette(routes=routes, exception_handlers=handlers)


async def _answer(request: Request, work: Completion | Chat, stream: bool) -> Response:
    if not stream:
        return JSONResponse(await _while_connected(request, work.whole))
    pieces = work.streamed()
    first = await anext(pieces)  # what is refused at once is refused with a status
    return StreamingResponse(
        _events(first, pieces),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store"},
    )


async def _while_connected(request: Request, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """The result of ``work``, which is given up when the client goes away."""
    working = asyncio.create_task(work())
    leaving = asyncio.create_task(_gone(request.receive))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise HTTPException(499, "the client went away")
        return working.result()
    finally:
        for task in (working, leaving):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await task


async def _gone(receive: Callable[[], Awaitable[Any]]) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _events(first: Json, rest: AsyncIterator[Json]) -> AsyncIterator[bytes]:
    try:
        yield _event(first)
        async for piece in rest:
            yield _event(piece)
    except Exception as problem:  # the status is sent already; the client must still hear of it
        yield _event(_told(problem)[1])
    yield b"data: [DONE]\n\n"


def _event(content: Json) -> bytes:
    return b"data: " + msgspec.json.encode(content) + b"\n\n"


async def _refused(request: Request, problem: Exception) -> Response:
    status, body = _told(problem)
    headers = {"Retry-After": str(BUSY_SECONDS)} if status == 429 else None
    return JSONResponse(body, status, headers)


async def _failed(request: Request, problem: Exception) -> Response:
    return JSONResponse(_told(problem)[1], 500)


def _told(problem: Exception) -> tuple[int, Json]:
    """Status and body of an error; of one that is ours, not what it was."""
    if isinstance(problem, HTTPException):
        code = "model_not_found" if problem.status_code == 404 else None
        return problem.status_code, error(problem.detail, "invalid_request_error", code)
    if isinstance(problem, InputError | ConfigError):
        return 400, error(str(problem), "invalid_request_error")
    if isinstance(problem, ResourceError):
        return 429, error(str(problem), "rate_limit_error", "rate_limit_exceeded")
    say(f"olmeda: error while answering: {type(problem).__name__}: {problem}")
    return 500, error("the server failed; its terminal says how", "server_error")
