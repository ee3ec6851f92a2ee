"""The page that compares training runs says what their logs say."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from olmeda.artifacts.estimate import over_seeds
from olmeda.artifacts.lineage import Making
from olmeda.base.errors import ArtifactError, ConfigError
from olmeda.web.arms import Arm, held_out_mean, last
from olmeda.web.curves import averaged, highest
from olmeda.web.runs import RunsConfig, runs
from olmeda.web.sections.training import Run
from tests.web.report_run import artifact, corpus
from tests.web.test_report import EVIL, Page

STEPS = 20


def training(
    out: Path,
    ends_at: float,
    moe: bool = False,
    more: Callable[[int], dict[str, Any]] = lambda s: {},
) -> Path:
    """A run that ends at ``ends_at`` bits per byte of notes and one more of code."""

    def fill(making: Making) -> None:
        rows = []
        for step in range(STEPS + 1):
            row: dict[str, Any] = {"step": step, "tokens": 64 * step}
            if step:
                row |= {"lr": 0.01, "loss": ends_at + math.exp(-step), "grad_norm": 1.0}
            if step > 4:
                row |= {"spike/loss": 7.5 if step == 9 else 0.0, "spike_rate/loss": 0.25}
            if step % 10 == 0:
                bits = ends_at + (STEPS - step) / 10
                row |= {"heldout/notes": bits, "heldout/code": bits + 1}
                row |= _routing(step) if moe else {}
            rows.append(row | more(step))
        lines = b"".join(msgspec.json.encode(row) + b"\n" for row in rows)
        (making.path / "progress.jsonl").write_bytes(lines)
        speeds = [{"step": s, "seconds": 1.0, "tokens_per_second": 64.0, "mfu": 0.5}
                  for s in range(1, STEPS)]  # fmt: skip
        lines = b"".join(msgspec.json.encode(row) + b"\n" for row in speeds)
        (making.journal / "speed.jsonl").write_bytes(lines)
        making.counts |= {"tokens": 64 * STEPS, "steps": STEPS, "parameters": 5000}

    return artifact(out, "checkpoint", "train.run", fill)


def _routing(step: int) -> dict[str, Any]:
    found: dict[str, Any] = {"load": [[0.5, 0.25, 0.25], [0.2, 0.4, 0.4]]}
    found["coactivation"] = [[[2, 0, 0.75]], [[0, 1, 0.5]]]
    return found | (
        {"saturation/before": [0.9, 0.8], "saturation/first": [0.4, 0.3]} if step else {}
    )


@pytest.fixture(scope="module")
def arms(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Path]]:
    home = tmp_path_factory.mktemp("runs")
    dense = [training(home / f"dense-{n}", 2.0 + 0.1 * n) for n in range(3)]
    moe = [training(home / f"moe-{n}", 1.5 + 0.1 * n, moe=True) for n in range(3)]
    return {"dense": dense, "moe": moe}


@pytest.fixture(scope="module")
def page(
    arms: dict[str, list[Path]], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Page]:
    out = runs(RunsConfig(title="Two arms", runs=arms), tmp_path_factory.mktemp("page") / "page")
    return out, Page((out / "report.html").read_text())


def test_final_figures_and_differences_stand_with_their_intervals(
    arms: dict[str, list[Path]], page: tuple[Path, Page]
) -> None:
    first = over_seeds(np.array([2.0, 2.1, 2.2]))
    assert f"2.1000 [{first.low:.4f}, {first.high:.4f}]" in page[1].text
    assert "−0.5000 [−0.5000, −0.5000]" in page[1].text, "paired by seed, the difference is exact"
    assert "bits per byte held out, the lowest: moe" in page[1].text


def test_the_page_is_whole_and_loads_nothing(page: tuple[Path, Page]) -> None:
    assert page[1].open == []
    assert not [a for _, a in page[1].elements if "src" in a]
    for title in ("Where the runs ended", "Curves", "Experts", "Time and memory", "Lineage"):
        assert title in page[1].text
    assert "Gradients by parameter" not in page[1].text, "nobody logged them"
    assert page[1].count("p", "origin") == len(re.findall(r"(?:Table|Figure) \d+\.", page[1].text))
    assert "50 %" in page[1].text, "utilisation"
    assert "25.0 %" in page[1].text, "the rate of spikes"


def test_experts_are_told_by_layer(page: tuple[Path, Page]) -> None:
    for told in ("1.50", "0.60", "90.0 %", "40.0 %", "2→0 (75 %)"):
        assert told in page[1].text


def test_one_run_has_no_interval_and_other_measures_are_shown(tmp_path: Path) -> None:
    one = training(tmp_path / "one", 2.0, more=lambda s: {
        "tasks/test/x/correct": 0.125 * (s // 10), **({"grad_norms": {"embed": 3.25}} if s else {}),
    })  # fmt: skip
    out = runs(RunsConfig.model_validate({"runs": {"one": str(one)}}), tmp_path / "page")
    shown = Page((out / "report.html").read_text())
    assert "2.0000" in shown.text
    assert "[" not in (out / "summary.txt").read_text().partition("Cost")[0]
    assert "tasks/test/x/correct" in shown.text
    assert "embed" in shown.text
    assert "3.25" in shown.text
    assert "Differences" not in shown.text


def test_a_run_that_measured_nothing_held_out_is_shown_by_its_loss(tmp_path: Path) -> None:
    def fill(making: Making) -> None:
        (making.path / "progress.jsonl").write_text('{"step": 1, "tokens": 4, "loss": 3.5}\n')

    bare = artifact(tmp_path / "bare", "checkpoint", "tune.sft", fill)
    out = runs(RunsConfig(runs={"bare": [bare]}), tmp_path / "page")
    assert "3.5000" in (out / "summary.txt").read_text()


def test_a_checkpoint_without_a_log_has_its_place_beside_others(
    arms: dict[str, list[Path]], tmp_path: Path
) -> None:
    mean = artifact(tmp_path / "mean", "checkpoint", "train.average", lambda making: None)
    out = runs(RunsConfig(runs={"dense": arms["dense"], "mean": [mean]}), tmp_path / "page")
    assert "mean" in (out / "summary.txt").read_text()
    alone = runs(RunsConfig(runs={"mean": [mean]}), tmp_path / "alone")
    assert Page((alone / "report.html").read_text()).open == []


def test_arms_of_unequal_seeds_are_not_paired(arms: dict[str, list[Path]]) -> None:
    whole = {name: Arm(name, tuple(map(Run.open, paths))) for name, paths in arms.items()}
    fewer = Arm("fewer", whole["moe"].runs[:2])
    assert fewer.difference(whole["dense"], held_out_mean) is None
    assert whole["moe"].estimate(last("nothing")) is None
    found = fewer.estimate(last("heldout/code"))
    assert found is not None
    assert found.value == pytest.approx(2.55)


def test_bands_hold_the_mean_and_the_range_of_the_seeds(arms: dict[str, list[Path]]) -> None:
    arm = Arm("dense", tuple(map(Run.open, arms["dense"])))
    assert arm.band("heldout/notes")[-1] == pytest.approx((20, 2.1, 2.0, 2.2))
    assert arm.band("nothing") == []


def test_a_spike_stays_as_high_as_it_was_where_steps_are_averaged() -> None:
    points = [(float(step), 9.0 if step == 50 else 1.0) for step in range(1, 101)]
    assert max(y for _, y in averaged(points, 10)) < 2
    assert max(y for _, y in highest(points, 10)) == 9.0
    assert highest(points, 10)[-1][0] == 100.0


def test_same_runs_give_the_same_page(
    arms: dict[str, list[Path]], page: tuple[Path, Page], tmp_path: Path
) -> None:
    again = runs(RunsConfig(title="Two arms", runs=arms), tmp_path / "again")
    assert (again / "report.html").read_bytes() == (page[0] / "report.html").read_bytes()


def test_names_of_others_stay_text(tmp_path: Path) -> None:
    one = training(tmp_path / "one", 2.0, more=lambda s: {f"heldout/{EVIL}": 1.0})
    out = runs(RunsConfig(title=EVIL, runs={EVIL: [one]}), tmp_path / "page")
    assert Page((out / "report.html").read_text()).count("script") == 0


def test_wrong_runs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="runs"):
        RunsConfig.load(None, ["runs={}"])
    with pytest.raises(ConfigError, match="from 1 to 10"):
        RunsConfig.load(None, ["runs={one: []}"])
    text = corpus(tmp_path / "text")
    with pytest.raises(ArtifactError, match="expected a checkpoint"):
        runs(RunsConfig(runs={"one": [text]}), tmp_path / "page")
    with pytest.raises(ArtifactError, match="no such artifact"):
        runs(RunsConfig(runs={"one": [tmp_path / "none"]}), tmp_path / "page")
