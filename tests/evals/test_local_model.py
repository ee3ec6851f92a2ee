"""A checkpoint as an answerer: likelihoods are those of whole sequences, whatever the batch."""

from __future__ import annotations

import math

import pytest
import torch

from evals.conftest import World
from olmeda.artifacts.examples import Message
from olmeda.base.errors import InputError
from olmeda.evals.local_model import LocalModel, reader

PROMPTS = ["Name it.\n\ndef f(a):\n    return a", "Short", "Is this one yes or no? " * 3]
CHOICES = ["yes", "no", "a rather longer choice"]


def logprob(system: LocalModel, prompt: str, text: str) -> float:
    """oracle: the whole conversation in one pass without cache or padding."""
    messages = [Message("user", prompt), Message("assistant", text)]
    ids, learned = system.tokenizer.encode_chat(messages, generation_prompt=False)
    with torch.inference_mode():
        logits = system.model.logits(system.model(torch.tensor([ids])).h_BTD)[0].double()
    logps = logits.log_softmax(-1)
    return sum(float(logps[t - 1, ids[t]]) for t in range(1, len(ids)) if learned[t])


@pytest.mark.parametrize("batch", [1, 2, 8])
def test_choices_weigh_what_their_sequences_weigh(world: World, batch: int) -> None:
    system = LocalModel.open(world.model("one", 1, init_std=1), batch)
    for prompt, weights in zip(PROMPTS, system.weigh(PROMPTS, CHOICES)):
        expected = [logprob(system, prompt, choice) for choice in CHOICES]
        assert weights == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("batch", [1, 8])
def test_surprise_is_the_bits_of_the_answer(world: World, batch: int) -> None:
    system = LocalModel.open(world.model("one", 1, init_std=1), batch)
    answers = ["f", "yes it is", "x" * 40]
    for prompt, text, bits in zip(PROMPTS, answers, system.surprise(PROMPTS, answers)):
        assert bits == pytest.approx(-logprob(system, prompt, text) / math.log(2), abs=1e-3)


def test_writing_does_not_depend_on_the_batch(world: World) -> None:
    one = LocalModel.open(world.model("one", 1, init_std=1), 1).write(PROMPTS, 12)
    many = LocalModel.open(world.model("one", 1, init_std=1), 8).write(PROMPTS, 12)
    assert one == many
    assert any(one)


def test_a_prompt_too_long_is_shortened_and_counted(world: World) -> None:
    system = LocalModel.open(world.model("short", 1, sequence=24), 4)
    assert len(system.write(["word " * 200, "ok"], 8)) == 2
    assert system.shortened == 1
    with pytest.raises(InputError, match="no room for a prompt and an answer of 24"):
        system.write(["word " * 200], 24)


def test_one_tokenizer_is_opened_once(world: World) -> None:
    first, second = world.model("one", 1, init_std=1), world.model("two", 2)
    assert reader(first) is reader(second)
