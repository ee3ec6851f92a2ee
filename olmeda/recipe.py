"""A recipe: an ordered list of named steps over artifacts, skipped when nothing changed.

::

    recipe: tour                # names the run folder: runs/tour
    seed: 17
    settings: {width: 192}      # values that steps share
    steps:
      corpus: {run: data.read, sources: [...]}
      tagged: {run: data.tag, corpus: "${corpus}", taggers: [gopher]}

``${corpus}`` is the artifact of an earlier step, ``${width}`` and ``${seed}`` are settings. A word
``tagged.taggers=[c4]`` on the command line overrides a step, ``width=64`` a setting.

Of several processes (torchrun) the first one does the steps that are the work of one, while the
others wait; steps that several can do together, all of them do.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import InterpolationKeyError, OmegaConfBaseException
from pydantic import BaseModel, field_validator

from olmeda.artifacts.crew import Alone, Crew, started_processes
from olmeda.artifacts.lineage import Lineage
from olmeda.artifacts.verb import Verb
from olmeda.base.config import Config, first_line, merge_words, read_yaml, show, validated
from olmeda.base.errors import ConfigError, OlmedaError, ResourceError, nearest, refusal, unknown
from olmeda.base.files import read_json, write_bytes, write_json
from olmeda.base.log import say
from olmeda.verbs import find_verb

CLAIM = "recipe.json"
NAME = re.compile(r"\w[\w-]*")
OWN = ("seed", "out")
"""Keys of a recipe itself that words override; steps and settings are called otherwise."""
_DONE, _TOGETHER, _FAILED = b"done", b"together", b"failed: "


class Recipe(BaseModel, frozen=True, extra="forbid"):
    """The content of a recipe file, overrides applied, references not yet resolved."""

    recipe: str
    seed: int = 0
    out: Path | None = None
    settings: dict[str, Any] = {}
    steps: dict[str, dict[str, Any]]
    prints: list[str] = []

    @field_validator("recipe")
    @classmethod
    def _names_a_folder(cls, name: str) -> str:
        if not NAME.fullmatch(name):
            raise ValueError(f"{name!r} cannot name a folder; use letters, digits, - and _")
        return name

    @field_validator("steps")
    @classmethod
    def _name_folders(cls, steps: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        for name in steps:
            if not NAME.fullmatch(name) or name in OWN:
                raise ValueError(f"{name!r} cannot name a step; use letters, digits, - and _"
                                 f" (but not {' or '.join(OWN)})")  # fmt: skip
        return steps

    @property
    def folder(self) -> Path:
        """Where the run lies: ``out``, else ``runs/<name>``."""
        return self.out or Path("runs") / self.recipe

    @classmethod
    def load(cls, file: Path, words: Sequence[str] = ()) -> Recipe:
        """Read a recipe and apply override words. Raises ConfigError for unknown heads."""
        values = read_yaml(file)
        steps, settings = values.get("steps") or {}, values.get("settings") or {}
        if not steps:
            raise ConfigError(f"{file}: a recipe needs steps: name: {{run: room.verb, ...}}")
        for part, held in (("steps", steps), ("settings", settings)):
            if not isinstance(held, dict):
                raise ConfigError(f"{file}: {part}: expected names with their values below")
        if both := [name for name in steps if name in settings]:
            raise ConfigError(f"{file}: {both[0]!r} is both a step and a setting; rename one")
        placed = [_placed(word, steps, settings) for word in words]
        return validated(cls, merge_words(values, placed), str(file))


def _placed(word: str, steps: dict[str, Any], settings: dict[str, Any]) -> str:
    head = word.partition("=")[0].partition(".")[0]
    if head in steps:
        return f"steps.{word}"
    if head in settings:
        return f"settings.{word}"
    if head in OWN:
        return word
    raise ConfigError(f"{word!r}: {unknown('step or setting', head, [*steps, *settings, *OWN])}")


class Step(BaseModel, frozen=True, arbitrary_types_allowed=True):
    """One step with references resolved: its verb, checked configuration and output."""

    name: str
    verb: Verb[Any]
    config: Config
    out: Path


def resolve(recipe: Recipe) -> list[Step]:
    """Resolve references, import verbs and check every configuration before anything runs."""
    names: dict[str, Any] = {**recipe.settings, "seed": recipe.seed}
    found: list[Step] = []
    for name, body in recipe.steps.items():
        where = f"step {name}"
        if "run" not in body:
            raise ConfigError(f"{where}: says no verb; write run: room.verb")
        try:
            verb = find_verb(str(body["run"]))
        except ConfigError as problem:
            raise ConfigError(f"{where}: {problem}") from None
        settings = {k: v for k, v in body.items() if k != "run"}
        values = _interpolated(settings, names, list(recipe.steps), where)
        out = recipe.folder / name
        found.append(Step(name=name, verb=verb, out=out,
                          config=validated(verb.config, values, where)))  # fmt: skip
        names[name] = str(out)
    return found


def _interpolated(
    body: dict[str, Any], names: dict[str, Any], steps: list[str], where: str
) -> dict[str, Any]:
    try:
        whole = OmegaConf.create({**names, "__step__": body})
        plain = OmegaConf.to_container(whole, resolve=True)
    except InterpolationKeyError as problem:
        word = str(problem).partition("'")[2].partition("'")[0]
        if word.partition(".")[0] in steps:
            raise ConfigError(f"{where}: ${{{word}}} is a later step; move it up") from None
        raise ConfigError(f"{where}: {unknown('step or setting', word, names)}") from None
    except OmegaConfBaseException as problem:
        raise ConfigError(f"{where}: {first_line(problem)}") from None
    assert isinstance(plain, dict)
    return dict(plain["__step__"])


def claim(recipe: Recipe) -> None:
    """Take the run folder for this recipe. Raises ConfigError if it is another's."""
    folder, mark = recipe.folder, recipe.folder / CLAIM
    if mark.is_file():
        held = read_json(mark, dict[str, str]).get("recipe")
        if held != recipe.recipe:
            raise ConfigError(
                f"{folder}: belongs to the recipe {held!r}, not {recipe.recipe!r}; "
                "say out=ANOTHER_FOLDER"
            )
    elif folder.exists() and not folder.is_dir():
        raise ConfigError(f"{folder}: is no folder; say out=ANOTHER_FOLDER")
    elif folder.exists() and any(folder.iterdir()):
        raise ConfigError(f"{folder}: is not empty and holds no run; say out=ANOTHER_FOLDER")
    else:
        folder.mkdir(parents=True, exist_ok=True)
        write_json(mark, {"recipe": recipe.recipe})


def dry(recipe: Recipe) -> str:
    """The resolved configuration of every step and what it would write, as YAML."""
    steps = resolve(recipe)
    listing = {
        s.name: {"run": s.verb.name, "writes": str(s.out), "makes": s.verb.makes,
                 "config": s.config.settings()}
        for s in steps
    }  # fmt: skip
    return show({"recipe": recipe.recipe, "folder": str(recipe.folder), "steps": listing})


def run(recipe: Recipe, again: Sequence[str] = (), until: str | None = None) -> list[Lineage]:
    """Run the steps in order, skipping finished ones; return the lineage of each.

    ``again``: steps to make anew although nothing changed. ``until``: stop after this step.
    """
    for name in [*again, *([until] if until else [])]:
        if name not in recipe.steps:
            near = nearest(name, recipe.steps, 1)
            raise ConfigError(f"no step called {name!r}; did you mean {near[0]!r}?")
    steps = resolve(recipe)
    made: list[Lineage] = []
    with _started() as crew:
        if crew.is_first:
            with _telling(crew):
                claim(recipe)
                write_bytes(recipe.folder / "resolved.yaml", dry(recipe).encode())
        for number, step in enumerate(steps, 1):
            if crew.is_first:
                place = f"[{number:2d}/{len(steps)}]"
                made.append(_run_step(step, place, step.name in again, crew))
            else:
                made.append(_help_with(step, crew))
            if step.name == until:
                break
    return made


def _started() -> AbstractContextManager[Crew]:
    """The processes that work through a recipe."""
    if started_processes() == 1:
        return contextlib.nullcontext(Alone())
    from olmeda.train.relay import relaying

    return relaying()


@contextlib.contextmanager
def _telling(crew: Crew) -> Iterator[None]:
    """Tell those who wait if it goes wrong."""
    try:
        yield
    except BaseException as problem:
        with contextlib.suppress(ResourceError):  # nobody is left to be told
            crew.told(_FAILED + (str(problem) or type(problem).__name__).encode())
        raise


@contextlib.contextmanager
def _naming(step: Step) -> Iterator[None]:
    """Say of what goes wrong in which step it did."""
    try:
        yield
    except OlmedaError as problem:
        raise type(problem)(f"step {step.name} ({step.verb.name}): {problem}") from problem
    except OSError as problem:
        raise ResourceError(f"step {step.name} ({step.verb.name}): {refusal(problem)}") from problem


def _run_step(step: Step, place: str, again: bool, crew: Crew) -> Lineage:
    """Do a step unless it is done: alone, or with those who wait if several can do it."""
    began = time.monotonic()
    with _naming(step):
        with _telling(crew):
            skip = not again and step.verb.is_done(step.config, step.out)
            if not skip:
                say(f"{place} {step.name:<16} {step.verb.name} ...")
                if again and step.out.exists():
                    _set_aside(step.out)
                if not step.verb.is_shared:
                    step.verb(step.config, step.out, replace=True, crew=Alone())
        together = not skip and step.verb.is_shared
        crew.told(_TOGETHER if together else _DONE)
        if together:
            step.verb(step.config, step.out, replace=True)
    record = Lineage.open(step.out)
    took = "unchanged" if skip else f"{time.monotonic() - began:.1f} s, {record.memory_mb:.0f} MB"
    say(f"{place} {step.name:<16} {step.verb.name:<18} {took}  {record.digest[:12]}")
    return record


def _help_with(step: Step, crew: Crew) -> Lineage:
    """Wait for the first process, or work with it, as it says."""
    with _naming(step):
        said = crew.told(b"")
        if said.startswith(_FAILED):
            told = said.removeprefix(_FAILED).decode()
            raise ResourceError(f"the first process could not do it: {told}")
        if said == _TOGETHER:
            step.verb(step.config, step.out, replace=True)
    return Lineage.open(step.out)


def _set_aside(out: Path) -> None:
    """Forget the record, so that the step is made anew; the content is replaced at the end."""
    from olmeda.base.files import remove_tree

    remove_tree(out)


def summary(recipe: Recipe) -> str:
    """The text files that the recipe says to print at its end."""
    names = {**recipe.settings, "seed": recipe.seed}
    names |= {name: str(recipe.folder / name) for name in recipe.steps}
    files = _interpolated({"prints": recipe.prints}, names, list(recipe.steps), "prints")["prints"]
    return "\n".join(Path(f).read_text().rstrip() for f in files if Path(f).is_file())
