from __future__ import annotations

import json
from typing import Any

import pytest

from olmeda.base.errors import ConfigError
from olmeda.model.config import load_preset
from olmeda.train.plan.config import PlanConfig
from olmeda.train.plan.plan import RunPlan, plan, told
from olmeda.train.plan.weights import count_weights
from world import olmeda


def planned(**values: Any) -> RunPlan:
    return plan(PlanConfig.model_validate({"preset": "olmoe-1b-7b", "gpus": 256, **values}))


@pytest.mark.parametrize(
    ("preset", "total"),
    [("olmoe-1b-7b", 6_919_161_856), ("olmo2-1b", 1_484_916_736), ("olmo2-7b", 7_298_617_344)],
)
def test_published_models_have_the_published_number_of_parameters(preset: str, total: int) -> None:
    assert count_weights(load_preset(preset)).total == total


def test_the_run_of_olmoe_takes_the_published_steps_and_speed() -> None:
    held = planned(tokens=5.133e12)
    assert held.steps == pytest.approx(1_223_842, rel=0.001)
    assert held.tokens_per_second / 256 == pytest.approx(23_600, rel=0.1)


def test_more_devices_hold_less_each_and_send_as_much() -> None:
    few, many = planned(gpus=64, micro_rows=1), planned(gpus=128, micro_rows=1)
    for part in ("weights", "gradients", "optimiser"):
        assert many.memory[part] == few.memory[part] / 2
    assert many.memory["activations"] == few.memory["activations"]
    assert many.step_seconds < few.step_seconds


def test_copies_of_the_model_hold_all_of_it_and_gather_nothing() -> None:
    held = planned(kind="ddp", micro_rows=1)
    assert held.memory["weights"] == 4 * held.parameters
    assert held.memory["gathered"] == 0
    assert set(held.traffic) == {"gradients summed"}
    assert not held.fits
    assert "DOES NOT FIT" in told(PlanConfig(preset="olmoe-1b-7b", gpus=256, kind="ddp"), held)  # type: ignore[call-arg]


def test_shared_out_experts_are_not_gathered_but_tokens_travel() -> None:
    whole, spread = planned(micro_rows=1), planned(micro_rows=1, experts=8)
    assert spread.memory["gathered"] < whole.memory["gathered"] / 2
    assert spread.traffic["weights gathered"] < whole.traffic["weights gathered"] / 3
    assert spread.traffic["tokens to experts and back"] > 0


def test_recomputing_layers_trades_memory_for_time() -> None:
    kept, again = planned(micro_rows=1), planned(micro_rows=1, recompute=True)
    assert again.memory["activations"] < kept.memory["activations"] / 4
    assert again.seconds["matrix products"] == pytest.approx(
        kept.seconds["matrix products"] * 4 / 3
    )


def test_rows_are_as_many_as_fit() -> None:
    chosen = planned()
    assert chosen.fits
    assert chosen.micro_rows & (chosen.micro_rows - 1) == 0
    room = planned(gpus=16, micro_rows=2 * planned(gpus=16).micro_rows)
    assert room.memory_total > 0.9 * room.device_memory


def test_one_device_sends_nothing() -> None:
    held = planned(preset="tour-dense", gpus=1, batch_tokens=2048)
    assert held.traffic == {}
    assert held.seconds["links (beside the rest)"] == 0


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"gpus": 6, "experts": 4}, "multiple of experts"),
        ({"preset": "olmo2-7b", "experts": 2}, "no experts cannot be shared out"),
        ({"batch_tokens": 4096}, "less than one micro-batch"),
        ({"shards": 100}, "multiple of shards"),
    ],
)
def test_what_cannot_be_shared_out_is_said(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        planned(**values)


def test_an_unknown_device_names_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="h100"):
        planned(device="h10")


def test_the_command_prints_the_plan_and_its_json() -> None:
    words = ("train", "plan", "preset=olmoe-1b-7b", "gpus=256")
    text = olmeda(*words)
    assert "6.92 G, 1.28 G active" in text
    held = json.loads(olmeda(*words, "--json"))
    assert held["memory_total"] == pytest.approx(sum(held["memory"].values()))
