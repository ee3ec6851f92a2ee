"""Who may ask: this machine by name, or whoever has the key."""

from __future__ import annotations

import secrets

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from olmeda.serve.answers import error

OPEN_PATHS = ("/", "/health")
"""The page and the sign of life hold nothing secret; the page asks for the key itself."""


class Guard:
    """Refuses requests without the key, and those that name another host than this machine.

    ``hosts``: the values of the Host header that are answered; empty answers any. It stops pages of
    other sites whose name was pointed at this machine; pages elsewhere cannot read answers anyway,
    for no CORS header is sent, nor write, for only ``application/json`` is taken.
    """

    def __init__(self, app: ASGIApp, key: str, hosts: frozenset[str]) -> None:
        self.app, self.key, self.hosts = app, key, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on or answer it with an error."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        app = self.app
        if self.hosts and headers.get("host", "").lower() not in self.hosts:
            message = "this server answers only under the names of the machine it runs on"
            app = JSONResponse(error(message, "invalid_request_error"), 421)
        elif self.key and scope["path"] not in OPEN_PATHS and not self._has_key(headers):
            message = "send the server's key: 'Authorization: Bearer KEY'"
            app = JSONResponse(
                error(message, "invalid_request_error", "invalid_api_key"), 401,
                {"WWW-Authenticate": "Bearer"},
            )  # fmt: skip
        await app(scope, receive, send)

    def _has_key(self, headers: Headers) -> bool:
        scheme, _, given = headers.get("authorization", "").partition(" ")
        same = secrets.compare_digest(given.strip().encode(), self.key.encode())
        return scheme.lower() == "bearer" and same


def local_hosts(port: int) -> frozenset[str]:
    """What this machine is called by itself."""
    names = ("127.0.0.1", "localhost", "[::1]")
    return frozenset(f"{name}:{port}" for name in names) | (
        frozenset(names) if port == 80 else set()
    )
