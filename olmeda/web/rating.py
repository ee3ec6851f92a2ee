"""The rating page: one blind text after another, on this machine only.

Served on 127.0.0.1 under a random token. A request whose Host is another is refused, and so is a
write whose Origin is another, so no other site and no other machine can read or rate. Pages load
nothing from anywhere: style and script are in the page, allowed by a nonce.
"""

from __future__ import annotations

import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import msgspec
from markupsafe import Markup
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from olmeda.base.errors import ConfigError, OlmedaError, ResourceError
from olmeda.base.log import say
from olmeda.rubric.ratings import Ratings, Revision, check_rater, place_of
from olmeda.rubric.rubric import Rubric, Stage, check_answer
from olmeda.rubric.session import Session, Unit

HOME = Path(__file__).parent / "templates"
LONGEST = 64_000
"""Bytes of the longest answer that is read."""


class Answer(msgspec.Struct, frozen=True):
    """What the page sends: values and reasons of one stage, and seconds since the last save."""

    values: dict[str, float]
    reasons: dict[str, str]
    seconds: float


@dataclass(frozen=True)
class Desk:
    """One rater's session: the places to go through (each a unit in a stage), in order."""

    session: Session
    ratings: Ratings
    rater: str
    token: str
    places: list[tuple[Stage, Unit]]

    @classmethod
    def of(cls, session: Session, ratings: Ratings, rater: str, token: str) -> Desk:
        """Seat a rater: the first stage over all units, then the next."""
        units = [session.units[i] for i in session.order(rater, ratings.join(rater))]
        places = [(stage, unit) for stage in session.rubric.stages for unit in units]
        return cls(session, ratings, rater, token, places)

    def answered(self) -> list[bool]:
        """Whether each place has a value for all it asks."""
        held = self.ratings.current(self.rater)
        return [is_answered(held.get((u.id, s.name)), s) for s, u in self.places]

    def at(self, number: int) -> tuple[Stage, Unit]:
        """The place with this number, from 1. Raises HTTPException 404 beyond the last."""
        if not 1 <= number <= len(self.places):
            raise HTTPException(404, f"there are {len(self.places)} places")
        return self.places[number - 1]

    def save(self, number: int, answer: Answer) -> dict[str, Any]:
        """Check and keep an answer; return what the page shows next."""
        stage, unit = self.at(number)
        values = check_answer(stage, self.session.rubric, answer.values, answer.reasons)
        reasons = {k: r.strip() for k, r in answer.reasons.items() if r.strip() and k in values}
        if not 0 <= answer.seconds < 86_400:
            raise ConfigError(f"{answer.seconds} seconds is no time spent on a page")
        self.ratings.save(self.rater, unit.id, stage.name, values, reasons, answer.seconds)
        done = self.answered()
        return {"answered": done[number - 1], "done": sum(done), "places": len(done)}


def is_answered(held: Revision | None, stage: Stage) -> bool:
    """Whether a revision holds every value that its stage asks."""
    return held is not None and all(key in held.dims for key in stage.asks)


def build_app(
    session: Session, ratings: Ratings, rater: str, token: str, port: int = 8765
) -> ASGIApp:
    """The application of one rater, under ``/<token>/``; answers to 127.0.0.1 and localhost."""
    desk = Desk.of(session, ratings, rater, token)

    def first(request: Request) -> Response:
        _check_token(request, token)
        done = desk.answered()
        if all(done):
            return RedirectResponse(f"/{token}/done", 303)
        return RedirectResponse(f"/{token}/{done.index(False) + 1}", 303)

    def show(request: Request) -> Response:
        _check_token(request, token)
        return _page("rating.html", place_view(desk, int(request.path_params["number"])))

    def finished(request: Request) -> Response:
        _check_token(request, token)
        done = desk.answered()
        view = {"desk": desk, "done": sum(done), "places": len(done)}
        return _page("rating_done.html", view)

    async def save(request: Request) -> Response:
        _check_token(request, token)
        try:
            answer = msgspec.json.decode(await _body(request), type=Answer)
            return JSONResponse(desk.save(int(request.path_params["number"]), answer))
        except msgspec.MsgspecError as problem:
            return JSONResponse({"error": str(problem)}, 422)
        except ResourceError as problem:
            return JSONResponse({"error": str(problem)}, 503)
        except OlmedaError as problem:
            return JSONResponse({"error": str(problem)}, 422)

    routes = [
        Route("/{token}/", first),
        Route("/{token}/done", finished),
        Route("/{token}/{number:int}", show, methods=["GET"]),
        Route("/{token}/{number:int}", save, methods=["POST"]),
    ]
    return Guard(Starlette(routes=routes), port)


def _check_token(request: Request, token: str) -> None:
    if not secrets.compare_digest(request.path_params["token"].encode(), token.encode()):
        raise HTTPException(404)


async def _body(request: Request) -> bytes:
    """The body of a JSON request. Raises HTTPException for another type or too much of it."""
    if request.headers.get("content-type", "").partition(";")[0] != "application/json":
        raise HTTPException(415, "send application/json")
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > LONGEST:
            raise HTTPException(413, "the answer is too long")
    return body


class Guard:
    """Lets only requests to this machine through, and writes only from its own pages."""

    def __init__(self, app: ASGIApp, port: int) -> None:
        self.app = app
        self.hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        app = self.app
        if host not in self.hosts:
            app = PlainTextResponse("This page answers only on the machine it runs on.", 421)
        elif scope["method"] not in ("GET", "HEAD") and headers.get("origin") != f"http://{host}":
            app = PlainTextResponse("Ratings are taken only from the rating page itself.", 403)
        await app(scope, receive, send)


def place_view(desk: Desk, number: int) -> dict[str, Any]:
    """Everything that the page of one place shows; of the text's maker it knows nothing."""
    stage, unit = desk.at(number)
    rubric, held = desk.session.rubric, desk.ratings.current(desk.rater)
    done = [is_answered(held.get((u.id, s.name)), s) for s, u in desk.places]
    mine = held.get((unit.id, stage.name))
    siblings = [u.id for s, u in desk.places if s.name == stage.name and u.item == unit.item]
    keys = hot_keys(rubric, stage)
    return {
        "desk": desk,
        "rubric": rubric,
        "stage": stage,
        "unit": unit,
        "number": number,
        "places": len(done),
        "done": sum(done),
        "stage_number": rubric.stages.index(stage) + 1,
        "text_number": siblings.index(unit.id) + 1,
        "texts": len(siblings),
        "dimensions": [rubric.dimension(key) for key in stage.asks],
        "keys": keys,
        "state": {
            "url": f"/{desk.token}/{number}",
            "next": f"/{desk.token}/{number + 1}" if number < len(done) else f"/{desk.token}/done",
            "back": f"/{desk.token}/{number - 1}" if number > 1 else "",
            "values": dict(mine.dims) if mine else {},
            "reasons": dict(mine.reasons) if mine else {},
            "elsewhere": elsewhere(held, unit, stage, rubric),
            "weights": {d.key: d.weight for d in rubric.dimensions},
            "dimensions": [
                {**rubric.dimension(k).model_dump(exclude={"anchors", "question"}), "hot": keys[k]}
                for k in stage.asks
            ],
        },
    }


def elsewhere(
    held: Mapping[tuple[str, str], Revision], unit: Unit, stage: Stage, rubric: Rubric
) -> dict[str, float]:
    """What this rater said about the unit in the other stages (for the live total)."""
    found: dict[str, float] = {}
    for other in rubric.stages:
        said = held.get((unit.id, other.name))
        if said is not None and other.name != stage.name:
            found |= said.dims
    return found


def hot_keys(rubric: Rubric, stage: Stage) -> dict[str, str]:
    """A letter for each penalty of a stage: the first of its key that is still free.

    Scales are answered by digits, so they have none.
    """
    taken: dict[str, str] = {}
    for key in stage.asks:
        if rubric.dimension(key).kind == "scale":
            taken[key] = ""
            continue
        letters = [c for c in (key + "abcdefghijklmnopqrstuvwxyz").lower() if c.isalpha()]
        taken[key] = next(c for c in letters if c not in taken.values())
    return taken


def _page(template: str, view: Mapping[str, Any]) -> Response:
    nonce = secrets.token_urlsafe(16)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HOME), autoescape=True, undefined=jinja2.StrictUndefined
    )
    style, script = ((HOME / f).read_text() for f in ("rating.css", "rating.js"))
    body = environment.get_template(template).render(
        **view, nonce=nonce, style=Markup(style), script=Markup(script)
    )
    policy = (
        f"default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; "
        "img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )
    return Response(
        body,
        media_type="text/html",
        headers={
            "Content-Security-Policy": policy,
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "no-store",
        },
    )


def serve(session: Path, rater: str, port: int) -> None:
    """Open a session for one rater on 127.0.0.1 until Ctrl-C. Raises ResourceError for a port
    that is taken; ``port`` 0 takes a free one.
    """
    import uvicorn

    opened, name = Session.open(session), check_rater(rater)
    ratings = Ratings.create(place_of(opened), opened.digest)
    token = secrets.token_urlsafe(16)
    with _listening(port) as listener:
        port = int(listener.getsockname()[1])
        app = build_app(opened, ratings, name, token, port)
        say(f"{name}, rate at  http://127.0.0.1:{port}/{token}/")
        say(f"every answer is saved at once in {ratings.path}")
        say("Ctrl-C ends; the same command goes on where you were")
        config = uvicorn.Config(app, log_level="warning", access_log=False, server_header=False)
        uvicorn.Server(config).run(sockets=[listener])


def _listening(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except OSError as problem:
        listener.close()
        raise ResourceError(
            f"port {port}: {problem.strerror}; say another, for example --port {port + 1}"
        ) from None
    return listener
