from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from olmeda.artifacts.examples import Output, Trio
from olmeda.artifacts.lineage import Lineage, Making
from olmeda.artifacts.scores import Scores
from olmeda.artifacts.verb import verb
from olmeda.base.config import Config, validated
from olmeda.base.errors import ConfigError, InputError
from olmeda.base.files import read_json, write_rows
from olmeda.reward.bench import BenchConfig, bench
from olmeda.reward.intervals import sign_test, subset_draws
from olmeda.reward.registries import Request, Scored, reward_scorer
from olmeda.reward.score import ScoreConfig, score
from olmeda.reward.sections import published
from olmeda.reward.table import Judged, tabulate


@reward_scorer("test_mentions")
def mentions(requests: Sequence[Request], *, word: str, gain: float = 1.0) -> Scored:
    """Count a word (a scorer for tests)."""
    return Scored(np.array([gain * r.answer.count(word) for r in requests]))


TRIOS = [
    Trio("a1", "p", "good", "bad", "one", "A"),
    Trio("a2", "p", "good good", "good", "one", "A"),
    Trio("a3", "p", "fine", "fins", "one", "A"),
    Trio("a4", "p", "good", "goods good", "two", "A"),
    Trio("b1", "p", "good", "not so fine", "three", "B"),
]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "trios.jsonl"
    write_rows(path, TRIOS)
    return path


def config(file: Path, **changes: object) -> BenchConfig:
    scorers = [{"name": "good", "kind": "test_mentions", "params": {"word": "good"}},
               {"name": "longer", "kind": "length"}]  # fmt: skip
    return validated(BenchConfig, {"trios": file, "scorers": scorers, **changes}, "")


def test_accuracy_by_subset_section_and_over_all(file: Path, tmp_path: Path) -> None:
    path = bench(config(file), tmp_path / "out")
    found = read_json(path / "bench.json")
    good, longer = found["scorers"]
    cells = {n: c["accuracy"]["value"] for n, c in good["subsets"].items()}
    assert cells == {"one": pytest.approx(2 / 3), "two": 0.0, "three": 1.0}
    assert good["subsets"]["one"]["equal"] == 1
    assert good["sections"]["A"]["accuracy"]["value"] == 0.5
    assert good["overall"]["accuracy"]["value"] == 0.75
    assert good["overall"]["accuracy"]["n"] == 5
    assert (found["baseline"], longer["overall"]["over_baseline"]) == ("longer", None)
    difference = good["overall"]["accuracy"]["value"] - longer["overall"]["accuracy"]["value"]
    assert good["overall"]["over_baseline"]["value"] == pytest.approx(difference)
    assert (path / "bench.txt").read_text().splitlines()[1].startswith("good")


def test_every_pair_and_every_mean_is_a_row(file: Path, tmp_path: Path) -> None:
    frame = Scores.open(bench(config(file), tmp_path / "out")).frame
    rows = {(r["task"], r["item"], r["scorer"]): r["value"]
            for r in frame.filter(frame["system"] == "good").to_dicts()}  # fmt: skip
    assert rows["reward/one", "a3", "accuracy"] == 0.0
    assert rows["reward/one", "a3", "margin"] == 0.0
    assert rows["reward/one", "a2", "margin"] == 1.0
    assert rows["reward/sections/B", "*", "accuracy"] == 1.0
    assert rows["reward/overall", "*", "accuracy"] == 0.75
    assert len(rows) == 2 * 5 + 3 + 2 + 1
    assert set(frame["rater"]) == {"checker:trios"}


def test_result_is_the_same_twice(file: Path, tmp_path: Path) -> None:
    one, two = bench(config(file), tmp_path / "one"), bench(config(file), tmp_path / "two")
    assert Lineage.open(one).digest == Lineage.open(two).digest


def test_published_weights_can_stand_in_for_counts() -> None:
    trios = [Trio("a", "p", "x", "y", "math-prm", "Reasoning"),
             Trio("b", "p", "x", "y", "hep-go", "Reasoning")]  # fmt: skip
    judged = [Judged("m", "k", np.array([1.0, 0.0]), np.array([0.0, 1.0]))]
    found = tabulate(trios, judged, "test", None, 0, {"Reasoning": published()["Reasoning"]})
    accuracy = found.scorers[0].sections["Reasoning"].accuracy.value
    assert accuracy == pytest.approx(984 / (984 + 164))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scorers": [{"name": "x", "kind": "lenght"}]}, "no reward_scorer called 'lenght'; did"),
        ({"scorers": [{"name": "x", "kind": "length", "params": {"unit": 1}}]},
         "has no parameter 'unit'; it takes shorter"),
        ({"scorers": [{"name": "x", "kind": "classifier"}]}, "'classifier' needs checkpoint"),
        ({"scorers": [{"name": "x", "kind": "length"}] * 2}, "two scorers are called 'x'"),
        ({"baseline": "god"}, "no scorer called 'god'; did you mean 'good'"),
    ],
)  # fmt: skip
def test_wrong_scorers_are_named(
    file: Path, tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        bench(config(file, **changes), tmp_path / "out")


def test_repeated_id_and_empty_file_are_named(file: Path, tmp_path: Path) -> None:
    write_rows(file, [TRIOS[0], TRIOS[0]])
    with pytest.raises(InputError, match=r"trios.jsonl:2: a second trio has the id 'a1'"):
        bench(config(file), tmp_path / "out")
    write_rows(file, [])
    with pytest.raises(InputError, match=r"trios\.jsonl: holds no trios"):
        bench(config(file), tmp_path / "out")


def test_sign_test_agrees_with_scipy() -> None:
    from scipy.stats import binomtest

    for right, n in [(0, 1), (5, 10), (8, 10), (1, 30), (300, 700), (2, 2)]:
        assert sign_test(right, n) == pytest.approx(binomtest(right, n).pvalue, rel=1e-9)


def test_draws_are_paired_and_stay_within_their_subset() -> None:
    results = np.array([[1.0, 1.0, 0.0, 1.0], [1.0, 1.0, 0.0, 1.0]])
    draws = subset_draws(["a", "a", "b", "b"], results, seed=0)
    assert (draws["a"] == 1).all()
    assert np.array_equal(draws["b"][0], draws["b"][1])
    assert set(draws["b"][0].tolist()) == {0.0, 0.5, 1.0}


class NoSettings(Config, frozen=True):
    """None."""


@verb("test.outputs", makes="scores")
def outputs(config: NoSettings, making: Making) -> None:
    """Pretend that two systems answered two items."""
    write_rows(making.path / "outputs.jsonl", [
        Output(system, task, item, f"prompt {item}", "ref", f"{system} says {item}")
        for system in ("Human", "general") for task in ("test/generation", "test/other")
        for item in ("i1", "i2")
    ])  # fmt: skip


def test_outputs_are_scored_under_their_own_keys(models: dict[str, Path], tmp_path: Path) -> None:
    answered = outputs(NoSettings(), tmp_path / "answered")
    path = score(
        ScoreConfig(outputs=[answered], reward_model=models["reward"], tasks=["test/generation"]),
        tmp_path / "scored",
    )
    frame = Scores.open(path).frame
    assert frame.select("system", "task", "item").rows() == [
        (s, "test/generation", i) for s in ("Human", "general") for i in ("i1", "i2")
    ]
    assert set(frame["scorer"]) == {"reward_model"}
    assert set(frame["rater"]) == {"model:reward_model"}
    assert frame["value"].n_unique() > 1
    with pytest.raises(InputError, match="no task called 'test/generatoin'; did you mean"):
        score(
            ScoreConfig(
                outputs=[answered], reward_model=models["reward"], tasks=["test/generatoin"]
            ),
            tmp_path / "no",
        )


def test_models_and_length_meet_on_one_bench(
    models: dict[str, Path], file: Path, tmp_path: Path
) -> None:
    scorers = [
        {"name": "rm", "kind": "classifier", "checkpoint": models["reward"]},
        {"name": "dpo", "kind": "dpo", "checkpoint": models["policy"],
         "reference": models["reference"]},
        {"name": "longer", "kind": "length"},
    ]  # fmt: skip
    path = bench(config(file, scorers=scorers), tmp_path / "out")
    assert [s["name"] for s in read_json(path / "bench.json")["scorers"]] == ["rm", "dpo", "longer"]
    keys = [i.key for i in Lineage.open(path).inputs]
    assert "scorers.0.checkpoint" in keys
    assert "scorers.1.reference" in keys
