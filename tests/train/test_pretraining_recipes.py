"""The published pretraining runs as recipes: their numbers, without training anything."""

from __future__ import annotations

from pathlib import Path

import pytest

from olmeda.recipe import Recipe, resolve
from olmeda.train.average import AverageConfig
from olmeda.train.duration import Position
from olmeda.train.run import RunConfig

RECIPES = sorted((Path(__file__).parents[2] / "recipes").glob("pretrain_*.yaml"))


def runs(name: str) -> dict[str, RunConfig]:
    """The ``train.run`` steps of a recipe, checked against their settings."""
    file = next(f for f in RECIPES if f.stem == f"pretrain_{name}")
    steps = resolve(Recipe.load(file))
    return {s.name: s.config for s in steps if isinstance(s.config, RunConfig)}


def rate(config: RunConfig, step: int) -> float:
    """The learning rate of a step (from 0) in a run whose batches are all equal."""
    size = config.loop.batch_tokens

    def after(steps: int) -> Position:
        return Position(steps, steps * size, 0.0)

    return config.loop.rates(config.loop.until.in_steps(after), after)(step)


@pytest.mark.parametrize("file", RECIPES, ids=lambda f: f.stem)
def test_every_step_can_be_read_and_fills_whole_rows(file: Path) -> None:
    found = runs(file.stem.removeprefix("pretrain_"))
    assert found
    for config in found.values():
        loop = config.loop
        assert loop.batch_tokens % loop.sequence == 0
        assert loop.batch_tokens % loop.micro_tokens == 0
        assert loop.sequence == config.model.sequence


def test_annealing_begins_at_the_rate_where_the_first_stage_of_olmo_2_7b_stopped() -> None:
    found = runs("olmo2_7b")
    assert rate(found["stage1"], 928_645) == pytest.approx(6.1499e-5, rel=3e-3)
    for seed in (42, 42069, 666):
        config = found[f"anneal_{seed}"]
        assert config.seed == seed
        assert rate(config, 0) == 6.1499e-5
        assert rate(config, 11_920) == pytest.approx(6.1499e-5 / 11_921, rel=0.1)


def test_so_it_does_for_olmo_2_1b_and_olmoe() -> None:
    found = runs("olmo2_1b")
    assert rate(found["stage1"], 1_907_348) == pytest.approx(7.4487e-5, rel=2e-3)
    found = runs("olmoe_1b_7b")
    assert rate(found["stage1"], 1_199_999) == pytest.approx(4.0e-5, rel=0.01)
    assert found["model"].start_optimizer
    assert found["stage1"].keep_optimizer


def test_olmo_1_warms_up_from_a_tenth_and_clips_looser_at_first() -> None:
    found = runs("olmo_7b")["model"]
    assert rate(found, 0) == pytest.approx(3e-4 * (0.1 + 0.9 / 5000))
    clips = found.loop.clips(lambda steps: Position(steps, steps, 0.0))
    assert [clips(n) for n in (0, 999, 1000)] == [10, 10, 1]


def test_the_three_annealing_runs_are_averaged() -> None:
    file = next(f for f in RECIPES if f.stem == "pretrain_olmo2_1b")
    (step,) = [s for s in resolve(Recipe.load(file)) if isinstance(s.config, AverageConfig)]
    assert len(step.config.checkpoints) == 3
