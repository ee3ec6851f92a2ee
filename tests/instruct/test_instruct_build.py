"""instruct.build: the first task that finds enough, and walls between splits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from instruct.corpora import module, note, write_corpus, write_heldout
from olmeda.artifacts.corpus import Document
from olmeda.artifacts.examples import Conversation, Instance
from olmeda.artifacts.lineage import Lineage
from olmeda.base.errors import ConfigError, InputError
from olmeda.base.files import read_json, read_rows
from olmeda.instruct.build import BuildConfig, build
from olmeda.instruct.mix import MixConfig, mix
from olmeda.instruct.split import SPLITS
from olmeda.instruct.task import read_tasks

TASKS = {
    "classification": ["python_kind", "text_order"],
    "naming": ["python_name", "text_heading"],
    "extraction": ["python_parameters", "text_terms"],
    "generation": ["python_summary", "text_opening"],
}
LEAST = {"train": 10, "test": 2}


@pytest.fixture(scope="module")
def python_world(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    home = tmp_path_factory.mktemp("python")
    corpus = write_corpus(home / "corpus", [module(n) for n in range(24)])
    number = {f"code/module{n}.py": n for n in range(24)}
    heldout = write_heldout(
        home / "heldout",
        corpus,
        lambda d: number[d.id] % 6 == 0,
        lambda d: 0.3 if number[d.id] == 1 else 0.29,
    )
    return corpus, heldout


def built(world: tuple[Path, Path], out: Path, **changes: Any) -> dict[str, list[Instance]]:
    values = {"tasks": TASKS, "least": LEAST, "seed": 3, **changes}
    build(BuildConfig(corpus=world[0], heldout=world[1], **values), out)
    return {s: list(read_rows(out / f"{s}.jsonl", Instance)) for s in SPLITS}


def documents(rows: list[Instance]) -> set[str]:
    return {str(row.metadata["document"]) for row in rows}


def test_test_rows_come_from_heldout_documents_alone(
    python_world: tuple[Path, Path], tmp_path: Path
) -> None:
    splits = built(python_world, tmp_path / "out")
    heldout = {f"code/module{n}.py" for n in range(0, 24, 6)}
    assert documents(splits["test"]) == heldout
    assert not documents(splits["train"]) & documents(splits["validation"])
    assert not (documents(splits["train"]) | documents(splits["validation"])) & heldout
    near = "code/module1.py"
    assert all(near not in documents(rows) for rows in splits.values())
    assert splits["validation"]
    for split, rows in splits.items():
        assert {row.metadata["split"] for row in rows} == {split}


def test_no_question_stands_in_two_splits(python_world: tuple[Path, Path], tmp_path: Path) -> None:
    splits = built(python_world, tmp_path / "out")
    inputs = {split: {row.input for row in rows} for split, rows in splits.items()}
    assert not inputs["train"] & (inputs["test"] | inputs["validation"])
    assert not inputs["validation"] & inputs["test"]


def test_a_copied_function_is_asked_in_the_test_split_alone(tmp_path: Path) -> None:
    modules = [module(n) for n in range(12)]
    copied = Document("code/copy.py", modules[0].text, "code", metadata={"module": "copy"})
    corpus = write_corpus(tmp_path / "corpus", [*modules, copied])
    held = {"code/module0.py", "code/module6.py"}
    heldout = write_heldout(tmp_path / "held", corpus, lambda d: d.id in held)
    splits = built((corpus, heldout), tmp_path / "out")
    assert "code/module0.py" in documents(splits["test"])
    assert "code/copy.py" not in documents(splits["train"]) | documents(splits["validation"])


def test_choices_are_balanced_in_every_split(
    python_world: tuple[Path, Path], tmp_path: Path
) -> None:
    splits = built(python_world, tmp_path / "out")
    for rows in splits.values():
        labels = [row.output for row in rows if row.task == "classification"]
        counts = {label: labels.count(label) for label in ("raises", "returns", "neither")}
        assert len(set(counts.values())) == 1
        assert labels
    assert splits["test"][0].metadata["choices"] == ["raises", "returns", "neither"]


def test_same_seed_same_bytes_and_another_seed_another_draw(
    python_world: tuple[Path, Path], tmp_path: Path
) -> None:
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        built(python_world, tmp_path / name, seed=seed, per_task=20)
    digests = [Lineage.open(tmp_path / name).digest for name in "abc"]
    assert digests[0] == digests[1] != digests[2]


def test_prose_gets_the_tasks_about_text(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "corpus", [note(n) for n in range(30)])
    heldout = write_heldout(
        tmp_path / "held", corpus, lambda d: d.id in ("notes/3.md", "notes/8.md")
    )
    splits = built((corpus, heldout), tmp_path / "out", least={"train": 10, "test": 1})
    assert {row.task for row in splits["train"]} == set(TASKS)
    used = {str(row.metadata["template"]) for row in splits["train"]}
    assert used == {"text_order", "text_heading", "text_terms", "text_opening"}
    assert set(read_tasks(tmp_path / "out")) == used
    found = read_json(tmp_path / "out" / "found.json")
    assert found["naming"]["python_name"]["used"] is False
    assert found["naming"]["text_heading"]["train"] > 10


def test_a_family_without_a_usable_task_says_what_each_found(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "corpus", [note(n) for n in range(6)])
    heldout = write_heldout(tmp_path / "held", corpus, lambda d: d.id == "notes/3.md")
    with pytest.raises(InputError, match=r"naming: .*40 train and 4 test.*python_name 0 and 0"):
        built((corpus, heldout), tmp_path / "out", least={}, tasks={"naming": ["python_name"]})
    assert not (tmp_path / "out").exists()


def test_lengths_and_numbers_are_kept(python_world: tuple[Path, Path], tmp_path: Path) -> None:
    splits = built(
        python_world, tmp_path / "out", input_characters=190, output_characters=25,
        per_task=12, per_test=6, least={"train": 1, "test": 1},
    )  # fmt: skip
    rows = [row for rows in splits.values() for row in rows]
    assert max(len(row.input) for row in rows) <= 190
    assert max(len(row.output) for row in rows) <= 25
    for family in TASKS:
        assert sum(row.task == family for row in splits["train"]) <= 12
    found = read_json(tmp_path / "out" / "found.json")
    assert found["generation"]["python_summary"]["left_out"]["too long"] > 0


def test_unknown_task_and_wrong_family_are_config_errors(
    python_world: tuple[Path, Path], tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="did you mean 'text_terms'"):
        built(python_world, tmp_path / "out", tasks={"extraction": ["text_term"]})
    with pytest.raises(ConfigError, match="says it is of family 'naming'"):
        built(python_world, tmp_path / "out", tasks={"extraction": ["python_name"]})


def test_a_changed_task_file_is_built_anew(python_world: tuple[Path, Path], tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    shipped = read_shipped("python_name")
    file.write_text(shipped.replace("name: python_name\nfamily", "name: mine\nfamily", 1))
    config = BuildConfig(
        corpus=python_world[0], heldout=python_world[1], tasks={"naming": [str(file)]}, least=LEAST
    )
    build(config, tmp_path / "out")
    before = build.plan(config).key
    file.write_text(file.read_text().replace("Name this function.", "What is it called?"))
    assert build.plan(config).key != before


def read_shipped(name: str) -> str:
    from olmeda.instruct.task import find_task

    return find_task(name).read_text()


def test_mix_draws_what_was_asked_and_repeats_itself(
    python_world: tuple[Path, Path], tmp_path: Path
) -> None:
    splits = built(python_world, tmp_path / "out")
    config = MixConfig(instances=tmp_path / "out", tasks={"naming": 7, "extraction": 5}, seed=2)
    mix(config, tmp_path / "a")
    mix(config, tmp_path / "b")
    rows = list(read_rows(tmp_path / "a" / "train.jsonl", Conversation))
    assert len(rows) == 12
    assert [m.role for m in rows[0].messages] == ["user", "assistant"]
    naming = [row for row in splits["train"] if row.task == "naming"][:7]
    assert {r.id for r in rows if r.dataset == "python_name"} == {n.id for n in naming}
    assert Lineage.open(tmp_path / "a").digest == Lineage.open(tmp_path / "b").digest
    also = MixConfig(instances=tmp_path / "out", tasks={"generation": 3}, also=[tmp_path / "a"])
    mix(also, tmp_path / "c")
    assert Lineage.open(tmp_path / "c").counts["conversations"] == 15


def test_mix_refuses_unknown_families_and_emptiness(
    python_world: tuple[Path, Path], tmp_path: Path
) -> None:
    built(python_world, tmp_path / "out")
    with pytest.raises(ConfigError, match="did you mean 'naming'"):
        mix(MixConfig(instances=tmp_path / "out", tasks={"nameing": 3}), tmp_path / "m")
    with pytest.raises(InputError, match="the mix is empty"):
        mix(MixConfig(instances=tmp_path / "out", tasks={"naming": 0}), tmp_path / "m")
