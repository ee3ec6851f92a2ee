"""billboard.rank: joined scores in, both rankings out, a reason where a figure is missing."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from olmeda.artifacts.lineage import Lineage, Making
from olmeda.artifacts.scores import Score, Scores, write_scores
from olmeda.artifacts.verb import verb
from olmeda.base.config import Config
from olmeda.base.errors import ArtifactError, ConfigError
from olmeda.base.files import read_json
from olmeda.billboard.board import Board
from olmeda.billboard.measure import MeasureConfig, measure
from olmeda.billboard.rank import RankConfig, rank

from .conftest import Write
from .outputs import TASK, make_outputs

Hand = Callable[[list[Score], str], Path]


@pytest.fixture
def hand(tmp_path: Path) -> Hand:
    """Make a scores artifact of given rows."""

    def write(rows: list[Score], name: str) -> Path:
        class NameConfig(Config, frozen=True):
            name: str

        def put(config: NameConfig, making: Making) -> None:
            """Write rows."""
            write_scores(making.path, rows)

        put.__annotations__["config"] = NameConfig
        return verb("test.hand", makes="scores")(put)(NameConfig(name=name), tmp_path / name)

    return write


def checks(systems: int, items: int, rater: str = "checker:python_summary") -> list[Score]:
    """Quality that rises with the skill of the machine; the person is always right."""
    rng = np.random.default_rng(11)
    rows = []
    for i in range(items):
        for s in range(systems):
            value = float(np.clip((s + 1) / (systems + 1) + rng.normal() * 0.15, 0, 1))
            rows.append(Score(f"m{s}", TASK, f"i{i:03d}", "quality", value, rater))
        rows.append(Score("Human", TASK, f"i{i:03d}", "quality", 1.0, rater))
    return rows


@pytest.fixture
def scores(write_outputs: Write, hand: Hand, tmp_path: Path) -> list[Path]:
    """A measured world of eight machines and a person, and its checks."""
    folder = write_outputs(make_outputs(8, 30))
    measured = measure(MeasureConfig(outputs=[folder]), tmp_path / "measured")
    return [measured, hand(checks(8, 30), "checked")]


def config_of(scores: list[Path], **more: Any) -> RankConfig:
    settings = {"task": TASK, "quality": "quality", "resamples": 1500, **more}
    return RankConfig(scores=scores, **settings)


def board_in(out: Path) -> Board:
    found: Board = read_json(out / "board.json", Board)
    return found


def numbers(value: Any) -> Iterator[float]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from numbers(inner)
    elif isinstance(value, float):
        yield value


def test_both_sides_are_ranked(scores: list[Path], tmp_path: Path) -> None:
    out = rank(config_of(scores), tmp_path / "board")
    board = board_in(out)
    machines = [g.system for g in board.generators if not g.is_human]
    assert machines[0] == "m7"
    assert machines[-1] == "m0"
    assert [g.ensemble.rank for g in board.generators] == list(range(1, 10))
    best = board.generators[0].ensemble
    assert best.group == 1
    assert best.rank_low is not None
    assert best.rank_low <= 1 <= (best.rank_high or 0)
    assert [m.rank for m in board.metrics] == list(range(1, 7))
    by_name = {m.metric: m for m in board.metrics}
    assert by_name["length"].agreement.instance.value < by_name["chrf"].agreement.instance.value
    assert board.metrics[0].p_behind is None
    assert by_name["length"].p_behind < 0.05
    assert by_name["bleu"].signature.startswith("bleu@1|sacrebleu")
    assert by_name["ensemble"].agreement.instance.value == board.ensemble.by_system.value
    assert 1 <= len(board.ensemble.weights) <= 3
    assert board.ensemble.in_sample.value >= board.ensemble.by_system.value
    assert board.ensemble.by_instance.resampled == "instances"
    assert all(math.isfinite(v) for v in numbers(read_json(out / "board.json")))


def test_rows_hold_the_ensemble_of_every_item_and_the_metrics_figures(
    scores: list[Path], tmp_path: Path
) -> None:
    out = rank(config_of(scores), tmp_path / "board")
    frame = Scores.open(out).frame
    ensemble = frame.filter(frame["scorer"] == "ensemble")
    assert len(ensemble) == 9 * 30 + 9
    assert ensemble["rater"].unique().to_list() == ["metric:ensemble"]
    means = dict(ensemble.filter(ensemble["item"] == "*").select("system", "value").rows())
    for row in board_in(out).generators:
        assert row.ensemble.mean.value == pytest.approx(means[row.system])
    about = frame.filter(frame["task"] == f"{TASK}/metrics")
    assert "overrating" in about["scorer"].to_list()


def test_same_seed_gives_the_same_bytes(scores: list[Path], tmp_path: Path) -> None:
    digests = {
        Lineage.open(rank(config_of(scores, seed=5), tmp_path / n)).digest for n in ("a", "b")
    }
    assert len(digests) == 1


def test_checker_is_never_called_human_and_people_come_first(
    scores: list[Path], hand: Hand, tmp_path: Path
) -> None:
    board = board_in(rank(config_of(scores), tmp_path / "a"))
    assert board.quality_kind == "checker"
    assert any("by a program, not by people" in note for note in board.notes)
    rated = [r for r in checks(8, 30, "human:ann") if r.item < "i015"]
    more = [*scores, hand(rated, "rated")]
    board = board_in(rank(config_of(more), tmp_path / "b"))
    assert (board.quality_kind, board.quality_raters) == ("human", ["human:ann"])
    assert board.rated == 9 * 15
    assert any("also given by a checker" in note for note in board.notes)


def test_overrating_carries_both_variants_and_the_caveat(
    scores: list[Path], tmp_path: Path
) -> None:
    board = board_in(rank(config_of(scores), tmp_path / "a"))
    found = {o.metric: o for o in board.overrating}
    assert found["bleu"].by_instance is not None
    assert found["bleu"].crossed is not None
    assert found["bleu"].by_instance.value > 0  # the person paraphrases and is always right
    assert found["bleu"].crossed.se > found["bleu"].by_instance.se
    assert any("one human system" in c for c in board.caveats)
    assert any("always 1" in c for c in board.caveats)


def test_constant_quality_leaves_reasons_and_no_numbers(
    scores: list[Path], hand: Hand, tmp_path: Path
) -> None:
    flat = [Score(r.system, r.task, r.item, "flat", 0.0, r.rater) for r in checks(8, 30)]
    out = rank(config_of([*scores, hand(flat, "flat")], quality="flat"), tmp_path / "a")
    board = board_in(out)
    assert board.ensemble.reason
    assert all(m.rank is None for m in board.metrics)
    assert all(m.agreement.instance.reason == "quality is constant" for m in board.metrics)
    assert all(g.ensemble.rank is None for g in board.generators)
    assert all(g.quality.group == 1 for g in board.generators)
    assert all(math.isfinite(v) for v in numbers(read_json(out / "board.json")))


def test_cost_is_turned_and_a_metric_without_human_text_is_left_out(
    scores: list[Path], hand: Hand, tmp_path: Path
) -> None:
    cost = [
        Score(r.system, r.task, r.item, "bits_cost", -r.value, "model:lm") for r in checks(8, 30)
    ]
    likelihood = [
        Score(r.system, r.task, r.item, "likelihood", r.value, "metric:lm")
        for r in checks(8, 30)
        if r.system != "Human"
    ]
    more = [*scores, hand(cost, "cost"), hand(likelihood, "likelihood")]
    board = board_in(rank(config_of(more), tmp_path / "a"))
    by_name = {m.metric: m for m in board.metrics}
    assert "likelihood" not in by_name
    assert "likelihood is left out: it judges no text of Human" in board.notes
    assert by_name["bits_cost"].agreement.instance.value == pytest.approx(1.0)


def test_metrics_of_one_name_are_told_apart_by_their_raters(
    scores: list[Path], hand: Hand, tmp_path: Path
) -> None:
    models = [
        Score(r.system, r.task, r.item, "reward", r.value * sign, f"model:{name}")
        for name, sign in (("first", 1.0), ("second", -1.0))
        for r in checks(8, 30)
    ]
    board = board_in(rank(config_of([*scores, hand(models, "models")]), tmp_path / "a"))
    order = [m.metric for m in board.metrics]
    assert order[0] == "reward (first)"
    assert order[-1] == "reward (second)"


@pytest.mark.parametrize("systems", [1, 2, 3])
def test_few_systems_are_ranked_without_a_nan(
    systems: int, write_outputs: Write, hand: Hand, tmp_path: Path
) -> None:
    folder = write_outputs(make_outputs(systems, 12))
    measured = measure(MeasureConfig(outputs=[folder]), tmp_path / "measured")
    out = rank(config_of([measured, hand(checks(systems, 12), "checked")]), tmp_path / "board")
    board = board_in(out)
    assert len(board.generators) == systems + 1
    assert all(math.isfinite(v) for v in numbers(read_json(out / "board.json")))
    if systems < 3:
        assert all(m.agreement.system.reason for m in board.metrics)


def test_without_a_person_overrating_has_a_reason(scores: list[Path], tmp_path: Path) -> None:
    board = board_in(rank(config_of(scores, human="Nobody"), tmp_path / "a"))
    assert {o.reason for o in board.overrating} == {"no rated text was written by a person"}
    assert any("No system is called 'Nobody'" in note for note in board.notes)


def test_wrong_names_and_gaps_are_refused(scores: list[Path], hand: Hand, tmp_path: Path) -> None:
    names = [*(f"m{s}" for s in range(8)), "Human"]
    gap = hand([Score(n, TASK, "i000", "mine", 1.0, "model:rm") for n in names], "gap")
    cases = [
        (config_of(scores, task="test/gen"), ConfigError, "no task called 'test/gen'"),
        (config_of(scores, quality="qualty"), ConfigError, "did you mean 'quality'"),
        (config_of(scores, quality="bleu"), ConfigError, "person or a checker"),
        (config_of(scores, quality="faults_cost"), ConfigError, "is a cost"),
        (config_of([*scores, gap]), ArtifactError, "mine has no value for"),
        (config_of(scores[1:]), ArtifactError, "run billboard.measure"),
    ]
    for config, error, says in cases:
        with pytest.raises(error, match=says):
            rank(config, tmp_path / "board")
