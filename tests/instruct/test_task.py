"""Task files: SciRIFF's schema checked as a whole, with our additions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from olmeda.artifacts.corpus import Document
from olmeda.base.errors import ConfigError, InputError
from olmeda.instruct.task import TaskFile, find_task, read_tasks, shipped_tasks

SCIRIFF: dict[str, Any] = {
    "name": "some_qa",
    "data_dir": "somewhere",
    "skip_splits": ["test"],
    "split_lookup": {"validation": "dev"},
    "formatter": {"name": "text_terms", "args": None},
    "metadata": {
        "task": "qa.abstractive",
        "domains": ["biomedicine", "chemistry"],
        "source_type": "multiple_source",
        "input_context": "multiple_paragraphs",
        "output_context": "json",
        "contributor": "a,b",
    },
    "templates": {0: {"jinja": "{{ passage }} ||| {{ terms | tojson }}"}, 1: {"jinja": "x ||| y"}},
}


def written(folder: Path, change: dict[str, Any]) -> Path:
    file = folder / "task.yaml"
    file.write_text(yaml.safe_dump({**SCIRIFF, **change}))
    return file


def test_a_file_in_sciriffs_schema_is_valid(tmp_path: Path) -> None:
    task = TaskFile.read(written(tmp_path, {}))
    assert task.metadata.domains == ["biomedicine", "chemistry"]
    assert task.render({"passage": "Of Paris.", "terms": ["Paris"]}, "0").output == '["Paris"]'


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"metadata": {**SCIRIFF["metadata"], "task": "qa"}}, "metadata.task"),
        ({"metadata": {**SCIRIFF["metadata"], "domains": ["law"]}}, "metadata.domains.0"),
        ({"metadata": {k: SCIRIFF["metadata"][k] for k in ("task", "domains")}}, "contributor"),
        ({"metadata": {**SCIRIFF["metadata"], "licence": "x"}}, "metadata.licence"),
        ({"templates": {}}, "templates"),
        ({"templates": {0: {"jinja": "{{"}}}, "line 1 of the template"),
        ({"templates": {0: {"jinja": "a", "jinjo": 1}}}, "did you mean 'jinja'"),
        ({"scorer": ["x"]}, "did you mean 'scorers'"),
        ({"choices": ["yes"]}, "at least two"),
        ({"formatter": {"args": {}}}, "formatter.name"),
    ],
)
def test_every_part_of_the_file_is_checked(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    file = written(tmp_path, change)
    with pytest.raises(ConfigError) as problem:
        TaskFile.read(file)
    assert message in str(problem.value)
    assert str(file) in str(problem.value)


def test_blank_output_names_task_and_item(tmp_path: Path) -> None:
    task = TaskFile.read(written(tmp_path, {"templates": {0: {"jinja": "{{ q }} ||| {{ a }}"}}}))
    with pytest.raises(
        InputError, match="task some_qa, item d#1: the template renders a blank out"
    ):
        task.render({"q": "x", "a": " "}, "d#1")


def test_output_that_is_no_choice_is_refused(tmp_path: Path) -> None:
    change = {"choices": ["yes", "no"], "templates": {0: {"jinja": "q ||| {{ a }}"}}}
    task = TaskFile.read(written(tmp_path, change))
    assert task.render({"a": "no"}, "0").output == "no"
    with pytest.raises(InputError, match="'maybe' is none of yes, no"):
        task.render({"a": "maybe"}, "0")


def test_unknown_names_list_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="did you mean 'python_kind'"):
        find_task("python_kinds")
    task = TaskFile.read(written(tmp_path, {"formatter": {"name": "text_term"}}))
    with pytest.raises(ConfigError, match="did you mean 'text_terms'"):
        task.items()
    wrong = TaskFile.read(
        written(tmp_path, {"formatter": {"name": "text_terms", "args": {"x": 1}}})
    )
    with pytest.raises(ConfigError, match="has no parameter 'x'"):
        wrong.items()


@pytest.mark.parametrize("name", shipped_tasks())
def test_shipped_task_is_whole(name: str) -> None:
    task = TaskFile.read(find_task(name))
    assert task.name == name
    assert task.family
    assert task.scorers
    assert callable(task.items())


def test_a_folder_without_task_files_has_none(tmp_path: Path) -> None:
    assert read_tasks(tmp_path) == {}


def test_formatters_say_nothing_about_what_they_cannot_read() -> None:
    blob = Document("x.bin", "\x00\x01 no text", metadata={"language": "python"})
    for file in shipped_tasks().values():
        assert list(TaskFile.read(file).items()(blob)) == []
