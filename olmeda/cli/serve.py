"""Commands that use a model: chat in the terminal, serve it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Checkpoint = Annotated[Path, typer.Argument(help="A checkpoint of ours or of transformers.")]


def add(app: typer.Typer, rooms: dict[str, typer.Typer]) -> None:
    """Add ``chat`` and ``serve``."""

    @app.command("chat", help="Chat with a checkpoint in the terminal.")
    def chat_with(
        checkpoint: Checkpoint,
        temperature: Annotated[float, typer.Option(help="0 is greedy.")] = 0.7,
        top_k: Annotated[int, typer.Option(help="0 keeps all tokens.")] = 0,
        top_p: Annotated[float, typer.Option(help="1 keeps all tokens.")] = 0.95,
        min_p: Annotated[float, typer.Option(help="0 keeps all tokens.")] = 0.0,
        most: Annotated[int, typer.Option(help="New tokens of an answer at most.", min=1)] = 512,
        seed: Annotated[int, typer.Option(help="Of what is drawn.", min=0)] = 0,
    ) -> None:
        from olmeda.model.sampling import Sampling
        from olmeda.serve.console import chat

        chat(checkpoint, Sampling(temperature, top_k, top_p, min_p), most, seed)

    @app.command("serve", help="Serve a checkpoint: OpenAI's API and a page to chat.")
    def serve_it(
        checkpoint: Checkpoint,
        port: Annotated[int, typer.Option(help="0 takes a free one.", min=0, max=65535)] = 8000,
        host: Annotated[str, typer.Option(help="Others than this machine need --key-file.")] = (
            "127.0.0.1"
        ),
        name: Annotated[str, typer.Option(help="What clients call it; the folder's name.")] = "",
        key_file: Annotated[
            Path | None, typer.Option(help="File of the key that clients send; made if absent.")
        ] = None,
        rows: Annotated[int, typer.Option(help="Answers written at a time.", min=1)] = 16,
        waiting: Annotated[int, typer.Option(help="Answers that may wait.", min=0)] = 256,
        longest: Annotated[int, typer.Option(help="Bytes of a request.", min=1)] = 4_000_000,
        memory: Annotated[
            int, typer.Option(help="Bytes of keys and values; 0: half of the machine's.", min=0)
        ] = 0,
    ) -> None:
        from olmeda.serve.open import Door, read_key, serve

        key = read_key(key_file) if key_file is not None else ""
        serve(checkpoint, name, Door(host, port, key, rows, waiting, longest, memory))
