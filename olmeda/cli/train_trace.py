"""``olmeda train trace``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def add(app: typer.Typer, rooms: dict[str, typer.Typer]) -> None:
    """Add ``train trace``."""

    @rooms["train"].command(
        "trace", help="Show what a run reads: by step as text, by document, or its parts in all."
    )
    def trace_run(
        run: Annotated[Path, typer.Argument(help="A run, finished or not, or a kept checkpoint.")],
        step: Annotated[int | None, typer.Option(help="Show the documents of this step.")] = None,
        document: Annotated[
            str | None, typer.Option(help="Show the steps that read the document of this id.")
        ] = None,
        excerpt: Annotated[
            int, typer.Option(min=0, help="Characters of a text; 0 shows all of it.")
        ] = 80,
        tokens: Annotated[
            Path | None, typer.Option(help="Where the token set of the run lies now.")
        ] = None,
        contents: Annotated[
            bool, typer.Option("--contents", help="Hold every id against its digest first.")
        ] = False,
        as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
    ) -> None:
        import msgspec

        from olmeda.base.errors import ConfigError
        from olmeda.train.trace import (
            DocumentTrace,
            told_document,
            told_step,
            told_whole,
            trace_document,
            trace_step,
            trace_whole,
        )
        from olmeda.train.traced_run import open_run

        if step is not None and document is not None:
            raise ConfigError("train trace: say --step N or --document ID, not both")
        opened = open_run(run, tokens, contents)
        held: msgspec.Struct | list[DocumentTrace]
        if step is not None:
            held = trace_step(opened, step, excerpt)
            text = told_step(held)
        elif document is not None:
            held = trace_document(opened, document, excerpt)
            text = told_document(held)
        else:
            held = trace_whole(opened)
            text = told_whole(held)
        typer.echo(_json(msgspec.json.encode(held)) if as_json else text)

    def _json(encoded: bytes) -> str:
        import msgspec

        return msgspec.json.format(encoded).decode()
