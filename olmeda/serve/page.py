"""The chat page: one file with its style and script, nothing loaded from anywhere."""

from __future__ import annotations

import secrets
from pathlib import Path

import jinja2
from markupsafe import Markup
from starlette.responses import Response

HOME = Path(__file__).parent / "templates"


def chat_page(model: str) -> Response:
    """The page for a model; the script runs by a nonce and may talk to this server only."""
    nonce = secrets.token_urlsafe(16)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HOME), autoescape=True, undefined=jinja2.StrictUndefined
    )
    style, script = (Markup((HOME / f).read_text("utf-8")) for f in ("chat.css", "chat.js"))
    body = environment.get_template("chat.html").render(
        model=model, nonce=nonce, style=style, script=script
    )
    policy = (
        f"default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    headers = {
        "Content-Security-Policy": policy,
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
    }
    return Response(body, media_type="text/html", headers=headers)
