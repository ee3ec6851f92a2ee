"""Commands of the data room that show something."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def add(app: typer.Typer, rooms: dict[str, typer.Typer]) -> None:
    """Add ``data translate-mix`` and ``data why``."""
    _add_why(rooms["data"])

    @rooms["data"].command("translate-mix", help="Show settings of data.mix for a Dolma mix.")
    def translate_mix(
        file: Annotated[Path, typer.Argument(help="A mixer configuration of Dolma.")],
        attributes: Annotated[
            list[Path] | None, typer.Argument(help="Attribute sets to check names against.")
        ] = None,
        stream: Annotated[str, typer.Option(help="Which stream, if there are several.")] = "",
        unknown_is_missing: Annotated[
            bool, typer.Option(help="Take unknown attributes for missing, as Dolma does.")
        ] = False,
    ) -> None:
        from olmeda.data.dolma.mixer import translate_mix as translated

        shown = translated(
            file, stream, attributes or [], "never" if unknown_is_missing else "error"
        )
        typer.echo(shown, nl=False)


def _add_why(data: typer.Typer) -> None:
    """The command that asks the ledger."""

    @data.command("why", help="Tell what happened to documents, and why.")
    def why(
        names: Annotated[
            list[str],
            typer.Argument(help="Ids of documents, and last a corpus.", metavar="ID... CORPUS"),
        ],
        ids: Annotated[Path | None, typer.Option(help="A file with an id a line.")] = None,
        tokens: Annotated[
            Path | None, typer.Option(help="Tokens made of the corpus: tell where they lie.")
        ] = None,
        every: Annotated[bool, typer.Option("--all", help="Tell all attributes.")] = False,
        reason: Annotated[
            str | None, typer.Option(help="List the documents that left for this reason.")
        ] = None,
        first: Annotated[int, typer.Option(help="List so many at most.")] = 20,
    ) -> None:
        from olmeda.data.history.ledger import asked_ids, dropped_for
        from olmeda.data.history.ledger import why as explain

        *given, corpus = names
        if reason is not None:
            typer.echo(dropped_for(Path(corpus), reason, first))
            return
        typer.echo(explain(Path(corpus), asked_ids(given, ids), tokens, every))
