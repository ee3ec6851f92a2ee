"""Commands of the tokens room that show something."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def add(app: typer.Typer, rooms: dict[str, typer.Typer]) -> None:
    """Add ``tokens show``."""

    @rooms["tokens"].command("show", help="Tell type, special ids and first documents of a set.")
    def show_tokens(
        tokens: Annotated[Path, typer.Argument(help="A token set.")],
        documents: Annotated[int, typer.Option(help="Documents to show.", min=0)] = 3,
    ) -> None:
        from olmeda.tokens.show import show

        typer.echo(show(tokens, documents))
