"""The command tree: rooms and their verbs, run, trace, list; a room is imported only when used."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from olmeda.artifacts.crew import speaks
from olmeda.base.errors import ConfigError, OlmedaError, ResourceError, missing_package, refusal
from olmeda.base.log import say
from olmeda.base.workers import let_idle_threads_sleep

app = typer.Typer(
    name="olmeda",
    help="An open language-model lab: from raw text to a ranked, skill-merged model.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

Words = Annotated[list[str] | None, typer.Argument(help="[recipe.yaml] key=value ...")]
Out = Annotated[Path | None, typer.Option("--out", help="Where the artifact is written.")]
Dry = Annotated[bool, typer.Option("--dry", help="Print what would be done, and stop.")]
Keys = Annotated[bool, typer.Option("--keys", help="Print what can be set, and stop.")]
Replace = Annotated[bool, typer.Option("--replace", help="Replace what the output holds.")]


INTERRUPTED = 130
"""The exit code of a command that Ctrl-C ended."""


@app.command()
def run(
    recipe: Annotated[Path, typer.Argument(help="A recipe, for example recipes/tour.yaml.")],
    words: Annotated[
        list[str] | None, typer.Argument(help="step.key=value or setting=value")
    ] = None,
    dry: Dry = False,
    again: Annotated[list[str] | None, typer.Option(help="Make this step anew.")] = None,
    until: Annotated[str | None, typer.Option(help="Stop after this step.")] = None,
) -> None:
    """Run the steps of a recipe, skipping what is finished and unchanged."""
    from olmeda import recipe as recipes

    loaded = recipes.Recipe.load(recipe, words or [])
    if dry:
        typer.echo(recipes.dry(loaded))
        return
    recipes.run(loaded, again or [], until)
    if speaks() and (text := recipes.summary(loaded)):
        typer.echo(text)


@app.command()
def trace(
    path: Annotated[Path, typer.Argument(help="An artifact, or a file inside one.")],
    contents: Annotated[bool, typer.Option("--contents", help="Re-read every byte.")] = False,
) -> None:
    """Print the tree behind an artifact: what made it, from what, and whether it still holds."""
    from olmeda.artifacts.trace import trace as trace_lines

    lines = trace_lines(path, contents)
    typer.echo("\n".join(lines))
    if any("CHANGED" in line or "MISSING" in line for line in lines):
        raise typer.Exit(4)


@app.command("list")
def list_plugins(
    kind: Annotated[str, typer.Argument(help="taggers, sources, scorers, metrics, ...")],
) -> None:
    """List the plug-ins of one kind with their parameters."""
    from olmeda.plugins import describe

    typer.echo(describe(kind))


def _verb_command(name: str) -> Callable[..., None]:
    def command(
        words: Words = None, out: Out = None, dry: Dry = False, replace: Replace = False,
        keys: Keys = False,
    ) -> None:  # fmt: skip
        from olmeda.base.config import describe_keys, show
        from olmeda.verbs import find_verb

        if keys:
            typer.echo(describe_keys(find_verb(name).config))
            return
        given = list(words or [])
        file = Path(given.pop(0)) if given and "=" not in given[0] else None
        verb = find_verb(name)
        config = verb.config.load(file, given)
        if out is None and not dry:
            raise ConfigError(f"{name}: say where the {verb.makes} is written: --out FOLDER")
        if dry:
            plan = {"run": name, "writes": str(out), "makes": verb.makes}
            typer.echo(show({**plan, "config": config.settings()}))
            return
        assert out is not None
        made = verb(config, out, replace=replace)
        if speaks():
            say(_told(made))

    return command


def _told(artifact: Path) -> str:
    """The path of an artifact, and below it what its verb counted."""
    from olmeda.artifacts.lineage import Lineage

    counts = Lineage.open(artifact).counts
    shown = ", ".join(f"{name} {value:,}" for name, value in counts.items())
    return f"{artifact}" + (f"\n  {shown}" if shown else "")


def _add_rooms() -> None:
    from olmeda.verbs import VERBS

    rooms: dict[str, typer.Typer] = {}
    for name, (_, line) in VERBS.items():
        room, _, verb = name.partition(".")
        if room not in rooms:
            rooms[room] = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
            app.add_typer(rooms[room], name=room, help=f"The verbs of {room}.")
        rooms[room].command(verb.replace("_", "-"), help=line)(_verb_command(name))
    _add_views(rooms)


def _add_views(rooms: dict[str, typer.Typer]) -> None:
    """Commands that show or open something and make no artifact: one file each beside this."""
    from olmeda.cli import data, rubric, serve, tokens, train_plan, train_trace, train_watch

    for module in (data, rubric, serve, tokens, train_plan, train_trace, train_watch):
        module.add(app, rooms)


def main() -> None:
    """Run the command line; an error of ours becomes one message and a truthful exit code."""
    let_idle_threads_sleep()
    _add_rooms()
    try:
        app()
    except OlmedaError as problem:
        _fail(str(problem), problem.exit_code)
    except OSError as problem:
        _fail(refusal(problem), ResourceError.exit_code)
    except MemoryError:
        _fail("out of memory; give smaller batches or fewer workers", ResourceError.exit_code)
    except ModuleNotFoundError as problem:
        if problem.name is None or problem.name.startswith("olmeda"):
            raise
        _fail(missing_package(problem.name), ConfigError.exit_code)
    except SystemExit as end:
        if end.code == INTERRUPTED:  # typer turns Ctrl-C into this code and says nothing
            say("olmeda: interrupted; run the same command again to go on")
        raise


def _fail(message: str, code: int) -> None:
    say(f"olmeda: {message}")
    sys.exit(code)
