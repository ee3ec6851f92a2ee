"""SciRIFF's template language: jinja in which ``|||`` parts what is asked from what is expected.

A template renders input and output together and is split on ``|||`` into exactly two parts, each
stripped. Fields that are strings may hold ``|||`` (it is put back after the split); inside lists it
is not protected, as in SciRIFF. ``answer_choices`` is a jinja string of its own, split on ``|||``,
and seen by the template as a list. An undefined field is an error. Templates come from files that
others write, so they run in jinja's sandbox.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import jinja2
from jinja2.sandbox import SandboxedEnvironment
from pydantic import model_validator

from olmeda.base.config import Config
from olmeda.base.errors import ConfigError, InputError

SEPARATOR = "|||"
CHOICES = "answer_choices"
_PROTECTED = "\ue000\ue001\ue000"  # private-use characters: no text that people write has them


class Rendered(NamedTuple):
    """What a template makes of one item. Either part may be blank; the task decides about that."""

    input: str
    output: str


class Template(Config, frozen=True):
    """One template of a task file; ``answer_choices`` separates the choices by ``|||``."""

    jinja: str
    answer_choices: str | None = None
    name: str | None = None
    metadata: dict[str, Any] | None = None
    evaluate: bool = False

    @model_validator(mode="after")
    def _compiles(self) -> Template:
        for source in (self.jinja, self.answer_choices or ""):
            try:
                _compiled(source)
            except jinja2.TemplateSyntaxError as problem:
                raise ValueError(f"line {problem.lineno} of the template: {problem}") from None
        return self

    def choices(self, fields: Mapping[str, Any]) -> list[str] | None:
        """The answer choices for these fields; None where the template has none."""
        if self.answer_choices is None:
            return None
        rendered = _compiled(self.answer_choices).render(_protect(fields))
        return [_restore(choice.strip()) for choice in rendered.split(SEPARATOR)]

    def render(self, fields: Mapping[str, Any], where: str = "template") -> Rendered:
        """Input and output for these fields. Raises InputError that begins with ``where``."""
        if CHOICES in fields:
            raise InputError(f"{where}: a field may not be called {CHOICES!r}; rename it")
        try:
            seen = {**_protect(fields), CHOICES: self.choices(fields)}
            parts = _compiled(self.jinja).render(seen).split(SEPARATOR)
        except jinja2.UndefinedError as problem:
            known = ", ".join(fields) or "none"
            raise InputError(f"{where}: {problem.message}; the fields are {known}") from None
        except (jinja2.TemplateError, TypeError, ValueError, LookupError, ArithmeticError) as fault:
            raise InputError(f"{where}: the template fails on these fields: {fault}") from None
        if len(parts) != 2:
            raise InputError(
                f"{where}: {SEPARATOR!r} must part the text in exactly 2, it makes {len(parts)} "
                "parts (lists in the data may not contain it)"
            )
        return Rendered(*(_restore(part).strip() for part in parts))


@lru_cache(maxsize=256)
def _compiled(source: str) -> jinja2.Template:
    environment = SandboxedEnvironment(undefined=jinja2.StrictUndefined)
    environment.globals["zip"] = zip
    return environment.from_string(source)


def _protect(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {
        k: v.replace(SEPARATOR, _PROTECTED) if isinstance(v, str) else v for k, v in fields.items()
    }


def _restore(text: str) -> str:
    return text.replace(_PROTECTED, SEPARATOR)


def single(templates: Mapping[int, Template], where: str) -> Template:
    """Template 0, which released data and every evaluation use. Raises ConfigError without one."""
    if 0 not in templates:
        raise ConfigError(f"{where}: has no template 0, the one that data is made with")
    return templates[0]
