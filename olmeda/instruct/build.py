"""instruct.build: documents -> instances of instruction tasks, split so that no test row leaks.

Each family of tasks (extraction, classification, naming, generation, or a name of yours) lists its
task files in order of preference; the first that finds enough in this corpus is used. So a corpus
of Python gets tasks about Python, and any folder of prose the tasks about text.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from pydantic import Field

from olmeda.artifacts.corpus import Attributes, Corpus
from olmeda.artifacts.lineage import Making
from olmeda.artifacts.verb import verb
from olmeda.base.config import ArtifactPath, Config
from olmeda.base.errors import ConfigError, InputError
from olmeda.base.files import digest_file, write_json, write_rows
from olmeda.base.log import progress
from olmeda.instruct.gather import Gathering, Limits
from olmeda.instruct.registries import formatter
from olmeda.instruct.split import SPLITS, TEST, TRAIN, VALIDATION, Walls
from olmeda.instruct.task import TaskFile, find_task


class Least(Config, frozen=True):
    """How many instances a task must find to be used."""

    train: int = Field(default=40, ge=1)
    test: int = Field(default=4, ge=1)


class BuildConfig(Config, frozen=True):
    """``tasks``: family -> task files in order of preference (a shipped name, or a path).

    ``heldout``: attributes of data.hold_out; its held-out documents give the test rows. ``by``: the
    metadata key that keeps documents together when validation rows are chosen. Lengths are in
    characters, not tokens: this room knows no tokenizer, and the same instances then serve models
    with different ones. 450 + 110 characters of code are about 190 tokens of a 4k vocabulary.
    """

    corpus: ArtifactPath
    heldout: ArtifactPath
    tasks: dict[str, list[str]] = Field(min_length=1)
    per_task: int = Field(default=2500, ge=1)
    per_test: int = Field(default=300, ge=1)
    least: Least = Least()
    input_characters: int = Field(default=450, ge=1)
    output_characters: int = Field(default=110, ge=1)
    by: str = "module"
    validation_fraction: float = Field(default=0.08, gt=0, lt=1)
    seed: int = 0


def _task_digests(config: BuildConfig) -> dict[str, str]:
    """What a path in the configuration does not tell: the content of task files and formatters."""
    found: dict[str, str] = {}
    for name in dict.fromkeys(n for names in config.tasks.values() for n in names):
        file = find_task(name)
        task = TaskFile.read(file)
        reader = task.formatter.name if task.formatter else ""
        version = formatter.get(reader).version if reader else 0
        found[name] = f"{digest_file(file)} {reader}@{version}"
    return found


@verb("instruct.build", makes="examples", fingerprints=_task_digests)
def build(config: BuildConfig, making: Making) -> None:
    """Turn documents into instances of instruction tasks.

    Writes ``train.jsonl``, ``validation.jsonl`` and ``test.jsonl`` of Instance, the task files used
    (``tasks/``), and ``found.json``: what each task found. Raises InputError for a family none of
    whose tasks finds enough.
    """
    corpus = Corpus.open(config.corpus)
    heldout = Attributes.open(config.heldout, corpus)
    walls = Walls(corpus, heldout, config.by, config.validation_fraction, config.seed)
    wanted = {family: [_read(n, family) for n in names] for family, names in config.tasks.items()}
    used, yields = _choose(wanted, walls, config)
    for split in SPLITS:
        rows = [row for task in used.values() for row in task.rows(split)]
        write_rows(making.path / f"{split}.jsonl", rows)
    for task in used.values():
        target = making.path / "tasks" / f"{task.file.name}.yaml"
        target.parent.mkdir(exist_ok=True)
        shutil.copyfile(task.source, target)
    write_json(making.path / "found.json", yields)
    for family, task in used.items():
        making.counts |= {f"{family}.{split}": len(task.rows(split)) for split in SPLITS}


def _read(name: str, family: str) -> tuple[TaskFile, Path]:
    file = find_task(name)
    task = TaskFile.read(file)
    if task.family and task.family != family:
        raise ConfigError(f"tasks.{family}: task {name!r} says it is of family {task.family!r}")
    return task, file


def _choose(
    wanted: dict[str, list[tuple[TaskFile, Path]]], walls: Walls, config: BuildConfig
) -> tuple[dict[str, Gathering], dict[str, dict[str, object]]]:
    """One pass over the corpus for each rank of preference that some family still needs."""
    most = {TRAIN: config.per_task, VALIDATION: config.per_test, TEST: config.per_test}
    limits = Limits(most, config.input_characters, config.output_characters)
    used: dict[str, Gathering] = {}
    tried: dict[str, list[Gathering]] = {family: [] for family in wanted}
    for place in range(max(len(tasks) for tasks in wanted.values())):
        now = [
            Gathering(*tasks[place], family, limits, config.seed)
            for family, tasks in wanted.items()
            if family not in used and place < len(tasks)
        ]
        if not now:
            break
        for placed in progress(walls, "instruct.build", walls.corpus.documents):
            for gathering in now:
                gathering.read(placed)
        for gathering in now:
            tried[gathering.family].append(gathering)
            if _is_enough(gathering, config.least):
                used[gathering.family] = gathering
    for family, gatherings in tried.items():
        if family not in used:
            raise InputError(_too_few(family, gatherings, config.least))
    yields: dict[str, dict[str, object]] = {
        family: {g.file.name: g.found() | {"used": g is used[family]} for g in gatherings}
        for family, gatherings in tried.items()
    }
    return {family: used[family] for family in wanted}, yields


def _is_enough(gathering: Gathering, least: Least) -> bool:
    enough_train = len(gathering.rows(TRAIN)) >= least.train
    return enough_train and len(gathering.rows(TEST)) >= least.test


def _too_few(family: str, gatherings: list[Gathering], least: Least) -> str:
    gave = ", ".join(
        f"{g.file.name} {len(g.rows(TRAIN))} and {len(g.rows(TEST))}" for g in gatherings
    )
    return (
        f"tasks.{family}: no task finds {least.train} train and {least.test} test instances in "
        f"this corpus; found: {gave or 'nothing'}. Add text, lower `least`, hold out more "
        "documents, or name another task"
    )
