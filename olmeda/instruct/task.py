"""The task file: one YAML that says what is asked of a document, and how answers are scored.

The schema is SciRIFF's (``templates/<dataset>_<task>.yaml``), checked as a whole: metadata
vocabularies, formatter and templates. Ours are ``family``, ``scorers``, ``choices`` and
``max_new_tokens``; a SciRIFF file without them is valid.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from olmeda.artifacts.corpus import Document
from olmeda.base.config import Config, read_yaml, validated
from olmeda.base.errors import ConfigError, InputError, unknown
from olmeda.instruct.registries import Item, formatter
from olmeda.instruct.template import Rendered, Template, single

TaskKind = Literal[
    "summarization",
    "ie.named_entity_recognition",
    "ie.relation_extraction",
    "ie.event_extraction",
    "ie.structure_to_json",
    "qa.yes_no",
    "qa.multiple_choice",
    "qa.extractive",
    "qa.abstractive",
    "entailment",
    "classification",
    "generation",
    "dialog",
    "ranking",
]
Domain = Literal[
    "clinical_medicine",
    "biomedicine",
    "chemistry",
    "artificial_intelligence",
    "materials_science",
    "misc",
]


class TaskMetadata(Config, frozen=True):
    """What kind of task it is, in SciRIFF's vocabulary; every key is required."""

    task: TaskKind
    domains: list[Domain]
    source_type: Literal["single_source", "multiple_source"]
    input_context: Literal["sentence", "paragraph", "multiple_paragraphs", "structured"]
    output_context: Literal[
        "label", "sentence", "paragraph", "multiple_paragraphs", "json", "jsonlines", "ranking"
    ]
    contributor: str


class FormatterRef(Config, frozen=True):
    """The formatter that reads a document, and its parameters."""

    name: str
    args: dict[str, Any] | None = None


class TaskFile(Config, frozen=True):
    """One task. ``scorers`` name plug-ins of the evals room: a name, or a mapping with parameters.

    ``family`` is the skill the task belongs to; a task with ``choices`` is answered by picking one
    of them; ``max_new_tokens`` bounds an answer that is written.
    """

    name: str
    dataset: str | None = None
    subset: str | None = None
    data_dir: str | None = None
    skip_splits: list[str] | None = None
    split_lookup: dict[str, str] | None = None
    standardize_splits: bool = True
    formatter: FormatterRef | None = None
    evaluate: dict[str, Any] | None = None
    metadata: TaskMetadata
    templates: dict[int, Template] = Field(min_length=1)
    family: str = ""
    scorers: list[str | dict[str, Any]] = []
    choices: list[str] = []
    max_new_tokens: int = Field(default=48, ge=1)

    @model_validator(mode="after")
    def _choices_are_several(self) -> TaskFile:
        if len(self.choices) == 1 or len(set(self.choices)) != len(self.choices):
            raise ValueError("choices: give at least two, each once, or leave them out")
        return self

    @classmethod
    def read(cls, file: Path) -> TaskFile:
        """Read and check a task file. Raises ConfigError naming file and key."""
        return validated(cls, read_yaml(file), str(file))

    def items(self) -> Callable[[Document], Iterator[Item]]:
        """The task's formatter with its parameters filled in. Raises ConfigError without one."""
        if self.formatter is None:
            raise ConfigError(f"task {self.name}: has no formatter, so it cannot read a corpus")
        return formatter.bind({"name": self.formatter.name, **(self.formatter.args or {})})

    def render(self, fields: dict[str, Any], item: str) -> Rendered:
        """Render template 0. Raises InputError naming task and item, also for a blank part."""
        where = f"task {self.name}, item {item}"
        rendered = single(self.templates, f"task {self.name}").render(fields, where)
        if not rendered.input or not rendered.output:
            blank = "output" if rendered.input else "input"
            raise InputError(f"{where}: the template renders a blank {blank}")
        if self.choices and rendered.output not in self.choices:
            raise InputError(
                f"{where}: the output {rendered.output!r} is none of {', '.join(self.choices)}"
            )
        return rendered


def shipped_tasks() -> dict[str, Path]:
    """The task files that come with olmeda, by name."""
    folder = Path(str(resources.files("olmeda.instruct") / "tasks"))
    return {file.stem: file for file in sorted(folder.glob("*.yaml"))}


def find_task(name: str) -> Path:
    """The file of a task: a name that comes with olmeda, or a path ending in .yaml."""
    if name.endswith((".yaml", ".yml")):
        return Path(name).expanduser()
    known = shipped_tasks()
    if name not in known:
        raise ConfigError(f"{unknown('task', name, known)}. A file of yours: give its path")
    return known[name]


def read_tasks(examples: Path) -> dict[str, TaskFile]:
    """The task files an instruct.build artifact was made with, by name."""
    tasks = [TaskFile.read(file) for file in sorted((examples / "tasks").glob("*.yaml"))]
    return {task.name: task for task in tasks}
