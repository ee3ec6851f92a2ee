"""Commands of the rubric room that open something."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def add(app: typer.Typer, rooms: dict[str, typer.Typer]) -> None:
    """Add ``rubric open``."""

    @rooms["rubric"].command("open", help="Open a rating session in a local web page.")
    def open_session(
        session: Annotated[Path, typer.Argument(help="A session made by rubric.prepare.")],
        rater: Annotated[str, typer.Option(help="Your name, kept with each rating.")],
        port: Annotated[int, typer.Option(help="The local port.")] = 8765,
    ) -> None:
        from olmeda.web.rating import serve

        serve(session, rater, port)
