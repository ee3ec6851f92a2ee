"""A recipe runs its steps in order, skips what is finished, and refuses what it cannot mean."""

from __future__ import annotations

from pathlib import Path

import pytest

from olmeda.artifacts.lineage import Making
from olmeda.artifacts.verb import verb
from olmeda.base.config import ArtifactPath, Config
from olmeda.base.errors import ConfigError, InputError
from olmeda.recipe import Recipe, dry, resolve, run, summary
from olmeda.verbs import VERBS

MADE: list[str] = []


class JoinConfig(Config):
    text: str = ""
    parts: list[ArtifactPath] = []
    seed: int = 0


@verb("test.join", makes="note")
def join(config: JoinConfig, making: Making) -> None:
    """Join the notes of other steps."""
    if config.text == "broken":
        raise InputError("notes.txt:3: not a note")
    text = config.text + "".join((p / "note.txt").read_text() for p in config.parts)
    MADE.append(text)
    (making.path / "note.txt").write_text(text)


RECIPE = """
recipe: notes
seed: 5
settings: {word: {first: a}}
steps:
  one: {run: test.join, text: "${word.first}", seed: "${seed}"}
  two: {run: test.join, text: b}
  both: {run: test.join, parts: ["${one}", "${two}"]}
prints: ["${both}/note.txt"]
"""


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setitem(VERBS, "test.join", (__name__, "Join the notes of other steps."))
    monkeypatch.chdir(tmp_path)
    MADE.clear()
    file = tmp_path / "notes.yaml"
    file.write_text(RECIPE)
    return file


def test_steps_run_in_order_and_once(recipe: Path) -> None:
    loaded = Recipe.load(recipe)
    run(loaded)
    assert MADE == ["a", "b", "ab"]
    assert summary(loaded) == "ab"
    run(loaded)
    assert MADE == ["a", "b", "ab"], "nothing changed, so nothing is made again"


def test_only_what_a_change_reaches_is_made_again(recipe: Path) -> None:
    run(Recipe.load(recipe))
    run(Recipe.load(recipe, ["two.text=c"]))
    assert MADE == ["a", "b", "ab", "c", "ac"]
    run(Recipe.load(recipe, ["word.first=a", "two.text=c"]))
    assert len(MADE) == 5


def test_a_step_can_be_made_again_and_a_run_stopped(recipe: Path) -> None:
    run(Recipe.load(recipe), until="one")
    assert MADE == ["a"]
    run(Recipe.load(recipe), again=["one"])
    assert MADE == ["a", "a", "b", "ab"]


def test_seed_and_references_are_resolved(recipe: Path) -> None:
    steps = resolve(Recipe.load(recipe, ["seed=9"]))
    assert steps[0].config.settings()["seed"] == 9
    assert steps[2].config.inputs()["parts.1"] == Path("runs/notes/two")


def test_dry_writes_nothing(recipe: Path, tmp_path: Path) -> None:
    text = dry(Recipe.load(recipe))
    assert "writes: runs/notes/both" in text
    assert not (tmp_path / "runs").exists()


def test_failure_names_the_step_and_the_rest_goes_on_next_time(recipe: Path) -> None:
    with pytest.raises(InputError, match=r"step two \(test.join\): notes.txt:3"):
        run(Recipe.load(recipe, ["two.text=broken"]))
    run(Recipe.load(recipe))
    assert MADE == ["a", "b", "ab"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["tow.text=c"], "no step or setting called 'tow'; did you mean 'two'"),
        (["two.txt=c"], "step two: txt: .*did you mean 'text'"),
        (["two.run=test.jion"], "no verb called 'test.jion'; did you mean 'test.join'"),
        (["two.parts=['${nobody}']"], "no step or setting called 'nobody'"),
        (["two.parts=['${both}']"], r"\$\{both\} is a later step"),
    ],
)
def test_wrong_word_is_refused_before_anything_runs(
    recipe: Path, words: list[str], says: str
) -> None:
    with pytest.raises(ConfigError, match=says):
        run(Recipe.load(recipe, words))
    assert MADE == []


def test_folder_of_another_recipe_is_refused(recipe: Path, tmp_path: Path) -> None:
    run(Recipe.load(recipe))
    other = tmp_path / "other.yaml"
    other.write_text(RECIPE.replace("recipe: notes", "recipe: letters"))
    with pytest.raises(ConfigError, match="belongs to the recipe 'notes'"):
        run(Recipe.load(other, ["out=runs/notes"]))
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("")
    with pytest.raises(ConfigError, match="is not empty and holds no run"):
        run(Recipe.load(recipe, ["out=full"]))


def test_step_and_setting_of_one_name_are_refused(recipe: Path) -> None:
    recipe.write_text(RECIPE.replace("word:", "one:"))
    with pytest.raises(ConfigError, match="both a step and a setting"):
        Recipe.load(recipe)
