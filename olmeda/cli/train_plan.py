"""``olmeda train plan``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def add(app: typer.Typer, rooms: dict[str, typer.Typer]) -> None:
    """Add ``train plan``."""

    @rooms["train"].command("plan", help="Tell what a run would need: memory, links, time, cost.")
    def plan_run(
        words: Annotated[list[str] | None, typer.Argument(help="[plan.yaml] key=value ...")] = None,
        as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
        keys: Annotated[bool, typer.Option("--keys", help="Print what can be set.")] = False,
    ) -> None:
        import msgspec

        from olmeda.base.config import describe_keys
        from olmeda.train.plan.config import PlanConfig
        from olmeda.train.plan.plan import plan, told

        if keys:
            typer.echo(describe_keys(PlanConfig))
            return
        given = list(words or [])
        file = Path(given.pop(0)) if given and "=" not in given[0] else None
        config = PlanConfig.load(file, given)
        held = plan(config)
        shown = (
            msgspec.json.format(msgspec.json.encode(held)).decode()
            if as_json
            else told(config, held)
        )
        typer.echo(shown)
