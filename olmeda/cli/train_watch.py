"""``olmeda train watch``: training runs in the terminal, from any process that sees their files."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import Annotated

import typer


def add(app: typer.Typer, rooms: dict[str, typer.Typer]) -> None:
    """Add ``train watch``."""

    @rooms["train"].command(
        "watch", help="Show runs that train now, or have: loss, speed, time left, held-out text."
    )
    def watch(
        runs: Annotated[list[Path], typer.Argument(help="Output folders of train or tune verbs.")],
        once: Annotated[bool, typer.Option("--once", help="Print the state, and stop.")] = False,
        every: Annotated[float, typer.Option(min=0.2, help="Seconds between looks.")] = 2.0,
    ) -> None:
        from rich.console import Console
        from rich.live import Live

        from olmeda.artifacts.training_log import TrainingLog
        from olmeda.train.live import screen

        console = Console()
        logs = [TrainingLog.open(run) for run in runs]
        if once or not console.is_terminal:
            console.print(screen(logs, console.width, console.height))
            return
        with (
            contextlib.suppress(KeyboardInterrupt),
            Live(console=console, auto_refresh=False, vertical_overflow="crop") as live,
        ):
            while True:
                live.update(screen(logs, console.width, console.height), refresh=True)
                if all(log.finished for log in logs):
                    return
                time.sleep(every)
                for log in logs:
                    log.refresh()
