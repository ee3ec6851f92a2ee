from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from olmeda.artifacts.lineage import Lineage, Making
from olmeda.artifacts.scores import Score, Scores, write_scores
from olmeda.artifacts.verb import verb
from olmeda.base.config import ArtifactPath, Config, validated
from olmeda.base.errors import ConfigError, InputError
from olmeda.base.files import read_json
from olmeda.merge.compare import CompareConfig, compare, swept_weight
from olmeda.merge.pick import PickConfig, pick
from olmeda.merge.sweep import SweepConfig, sweep

Make = Callable[..., Path]
SKILL = {"base": 0.0, "first": 0.1, "alone": 0.9, "more": 0.8, "all": 0.85,
         "skill-0.20": 0.3, "skill-0.60": 0.7}  # fmt: skip


class TrainedConfig(Config, frozen=True):
    model: ArtifactPath
    tokens: int


@verb("test.train", makes="checkpoint")
def trained(config: TrainedConfig, making: Making) -> None:
    """Pretend to have trained a model."""
    shutil.copytree(config.model, making.path, dirs_exist_ok=True)
    making.counts["tokens"] = config.tokens


class AnswersConfig(Config, frozen=True):
    systems: dict[str, ArtifactPath]
    items: int = 6


@verb("test.answers", makes="scores")
def answers(config: AnswersConfig, making: Making) -> None:
    """Pretend to have scored systems: skill as in SKILL, general falling with it."""
    write_scores(
        making.path,
        [
            Score(system, f"{split}/{family}", f"i{i}", "accuracy", value, "checker:label")
            for system, skill in SKILL.items()
            for split in ("validation", "test")
            for family, value in [("labels", 1 - skill / 4), ("names", 1.0), ("extract", skill)]
            for i in range(config.items)
        ],
    )


@pytest.fixture
def settings(make: Make, tmp_path: Path) -> dict[str, object]:
    tokens = {"base": 0, "first": 1000, "alone": 400, "more": 410, "all": 1400}
    models = {
        name: trained(
            TrainedConfig(model=make(f"raw-{name}", i), tokens=count), tmp_path / "runs" / name
        )
        for i, (name, count) in enumerate(tokens.items())
    }
    scores = answers(AnswersConfig(systems=models), tmp_path / "runs" / "answers")
    renamed = tmp_path / "runs" / "elsewhere"
    shutil.copytree(models["alone"], renamed)
    return {
        "scores": [scores],
        "scorers": dict.fromkeys(["labels", "names", "extract"], "accuracy"),
        "general": ["labels", "names"],
        "base": models["base"],
        "general_checkpoint": models["first"],
        "skills": {
            "skill": {"family": "extract", "sweep": "skill", "alone": renamed,
                      "continued": models["more"], "retrained": models["all"]}
        },
    }  # fmt: skip


def test_every_way_is_compared_with_its_cost(settings: dict[str, object], tmp_path: Path) -> None:
    out = compare(validated(CompareConfig, settings, ""), tmp_path / "out")
    found = read_json(out / "compare.json")["skills"]["skill"]
    costs = {p["system"]: (p["kind"], p["cost_tokens"]) for p in found["points"]}
    assert costs == {
        "base": ("base", 0), "first": ("general", 0), "alone": ("alone", 400),
        "more": ("continued", 410), "all": ("retrained", 1400),
        "skill-0.20": ("merged", 400), "skill-0.60": ("merged", 400),
    }  # fmt: skip
    assert found["chosen"]["weight"] == 0.6
    assert found["wanted_weight"] == 0.4
    assert found["heuristic"]["weight"] == 0.2
    assert [d["against"] for d in found["differences"]] == ["first", "alone", "more", "all"]
    frame = Scores.open(out).frame
    assert set(frame["scorer"]) == {"general", "skill", "tokens_cost"}
    assert set(frame["task"]) == {"merge/skill"}
    assert Lineage.open(out).counts["weight_skill"] == 0.6
    assert "merged" in (out / "compare.txt").read_text()


def test_result_is_the_same_twice(settings: dict[str, object], tmp_path: Path) -> None:
    config = validated(CompareConfig, settings, "")
    one, two = compare(config, tmp_path / "one"), compare(config, tmp_path / "two")
    assert Lineage.open(one).digest == Lineage.open(two).digest


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"scorers": {"labels": "bits_cost"}}, ConfigError, "labels: bits_cost is a cost"),
        ({"general": ["lables"]}, ConfigError, "no family called 'lables'; did you mean 'labels'"),
        ({"scorers": {"labels": "f1", "names": "accuracy", "extract": "accuracy"}}, InputError,
         "no scorer of validation/labels called 'f1'"),
        ({"report_on": "tset"}, InputError, "no task called 'tset/labels'"),
    ],
)  # fmt: skip
def test_unknown_names_are_named(
    settings: dict[str, object],
    tmp_path: Path,
    change: dict[str, object],
    error: type[Exception],
    message: str,
) -> None:
    with pytest.raises(error, match=message):
        compare(validated(CompareConfig, settings | change, ""), tmp_path / "out")


def test_missing_sweep_is_named(settings: dict[str, object], tmp_path: Path) -> None:
    skill = settings["skills"]["skill"] | {"sweep": "skil"}  # type: ignore[index]
    with pytest.raises(InputError, match="no system skil-<weight>; they hold all, alone"):
        config = validated(CompareConfig, settings | {"skills": {"skill": skill}}, "")
        compare(config, tmp_path / "out")


def test_weight_is_read_from_the_name_of_a_swept_system() -> None:
    assert swept_weight("both-0.40", "both") == 0.4
    assert swept_weight("both-0.40", "bot") is None
    assert swept_weight("general", "general") is None


def test_picked_model_is_the_chosen_one_of_the_sweep(
    settings: dict[str, object], make: Make, tmp_path: Path
) -> None:
    base, general, skill = make("b", 0), make("g", 1), make("s", 2)
    swept = sweep(
        SweepConfig(base=base, general=general, skills={"skill": skill}, weights=[0.2, 0.6]),
        tmp_path / "sweep",
    )
    compared = compare(validated(CompareConfig, settings, ""), tmp_path / "compared")
    out = pick(PickConfig(sweep=swept, compare=compared, skill="skill"), tmp_path / "picked")
    expected = (swept / "skill-0.60" / "model.safetensors").read_bytes()
    assert (out / "model.safetensors").read_bytes() == expected
    assert Lineage.open(out).counts == {"weight": 0.6, "parameters": 100}
    with pytest.raises(ConfigError, match="no compared skill called 'skil'; did you mean 'skill'"):
        pick(PickConfig(sweep=swept, compare=compared, skill="skil"), tmp_path / "no")
