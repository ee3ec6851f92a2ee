"""Generation: each prompt continues as if it were alone."""

from __future__ import annotations

import math

import pytest
import torch
from transformers import AutoModelForCausalLM

from model.conftest import BOTH, CONFIGS
from olmeda.base.errors import InputError
from olmeda.model import hf
from olmeda.model.generate import generate
from olmeda.model.sampling import Sampling, noise, sample
from olmeda.model.transformer import Transformer

SAMPLED = {"temperature": 1.3, "top_k": 40, "top_p": 0.9, "seed": 4}


def lively(name: str) -> Transformer:
    """A model whose next token depends on what it read."""
    model = Transformer.initialised(CONFIGS[name], 2)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(8 if parameter.ndim > 1 else 1)
    return model


def prompts() -> list[list[int]]:
    generator = torch.Generator().manual_seed(1)
    lengths = (1, 9, 3, 30, 9, 17, 2, 25)
    return [torch.randint(2, 96, (n,), generator=generator).tolist() for n in lengths]


def slowly(model: Transformer, prompt: list[int], steps: int, eos: int) -> list[int]:
    """Greedy without cache and without batch."""
    ids = list(prompt)
    for _ in range(steps):
        with torch.no_grad():
            token = int(model.logits(model(torch.tensor([ids])).h_BTD[0, -1]).argmax())
        if token == eos:
            break
        ids.append(token)
    return ids[len(prompt) :]


@pytest.mark.parametrize("name", [*BOTH, "grouped"])
def test_greedy_equals_reading_everything_anew_each_step(name: str) -> None:
    model = lively(name)
    eos = slowly(model, prompts()[3], 5, -1)[4]  # an id that does come up
    wanted = [slowly(model, p, 12, eos) for p in prompts()]
    assert generate(model, prompts(), max_new_tokens=12, eos=eos) == wanted
    assert len({len(w) for w in wanted}) > 1


@pytest.mark.parametrize("name", BOTH)
@pytest.mark.parametrize("how", [{}, SAMPLED])
@pytest.mark.parametrize("batch", [1, 3, 64])
def test_result_does_not_depend_on_the_batch(name: str, how: dict[str, float], batch: int) -> None:
    model = lively(name)
    wanted = generate(model, prompts(), max_new_tokens=10, eos=0, **how)
    assert generate(model, prompts(), max_new_tokens=10, eos=0, batch=batch, **how) == wanted


def test_seed_changes_what_is_drawn_and_repeats_it() -> None:
    model = lively("dense")

    def draw(seed: int) -> list[list[int]]:
        return generate(model, prompts(), max_new_tokens=8, eos=0, temperature=1.0, seed=seed)

    assert draw(1) == draw(1) != draw(2)


def test_equal_prompts_draw_differently() -> None:
    found = generate(lively("dense"), [[5, 6]] * 4, max_new_tokens=8, eos=0, temperature=1.0)
    assert len({tuple(f) for f in found}) == 4


def test_greedy_equals_transformers(tmp_path: pytest.TempPathFactory, tokenizer: object) -> None:
    model = lively("dense")
    hf.save(model, tmp_path, tokenizer)  # type: ignore[arg-type]
    theirs = AutoModelForCausalLM.from_pretrained(tmp_path)
    for prompt in prompts()[:4]:
        out = theirs.generate(
            torch.tensor([prompt]), max_new_tokens=10, do_sample=False, eos_token_id=95
        )[0].tolist()[len(prompt) :]
        ours = generate(model, [prompt], max_new_tokens=10, eos=95)[0]
        assert ours == [i for i in out if i != 95]


def test_answer_stops_where_the_context_is_full() -> None:
    model = lively("dense")
    long = prompts()[3] * 2  # 60 of 64 places
    found = generate(model, [long, [5]], max_new_tokens=20, eos=-1)
    assert [len(f) for f in found] == [5, 20]  # the last token needs no place: nothing follows it


@pytest.mark.parametrize("prompt", [[], [1] * 64])
def test_prompt_without_room_is_an_error(prompt: list[int]) -> None:
    with pytest.raises(InputError, match="prompt 1: the prompt has"):
        generate(lively("dense"), [[1], prompt], max_new_tokens=2, eos=0)


def test_no_prompts_give_no_answers() -> None:
    assert generate(lively("dense"), [], max_new_tokens=2, eos=0) == []


def draws(logits: list[float], count: int = 20_000, **how: float) -> torch.Tensor:
    noises = torch.stack([noise((7,), place, len(logits)) for place in range(count)])
    rows = torch.tensor([logits]).expand(count, -1)
    found = sample(rows, noises, Sampling(**{"temperature": 1.0, **how}))  # type: ignore[arg-type]
    return torch.bincount(found, minlength=len(logits)) / count


def test_sampling_draws_the_softmax() -> None:
    logits = [0.3, -1.0, 2.0, 0.0]
    torch.testing.assert_close(
        draws(logits), torch.softmax(torch.tensor(logits), 0), rtol=0, atol=0.012
    )
    cold = torch.softmax(torch.tensor(logits) / 0.5, 0)
    torch.testing.assert_close(draws(logits, temperature=0.5), cold, rtol=0, atol=0.012)


def test_noise_never_beats_a_certain_token() -> None:
    # an exponential drawn in float32 is 0 once in 2^23, here among the first million
    largest = float(noise((2, 0), 0, 1_000_000).max())
    assert largest < 30  # the largest of n Gumbel numbers lies about log n = 14


def test_noise_is_gumbel() -> None:
    drawn = noise((3,), 0, 400_000).double()
    assert float(drawn.mean()) == pytest.approx(0.5772, abs=0.006)
    assert float(drawn.var()) == pytest.approx(math.pi**2 / 6, abs=0.02)


@pytest.mark.parametrize("temperature", [1e-6, 1e-40, 1e-320])
def test_temperatures_near_zero_are_greedy(temperature: float) -> None:
    assert draws([0.3, -1.0, 2.0, 0.0], 100, temperature=temperature).tolist() == [0, 0, 1, 0]


def test_top_k_and_top_p_leave_the_most_probable() -> None:
    logits = [0.3, -1.0, 2.0, 0.0]  # 0.13, 0.04, 0.73, 0.10
    assert (draws(logits, top_k=2) > 0).tolist() == [True, False, True, False]
    assert (draws(logits, top_p=0.7) > 0).tolist() == [False, False, True, False]
    assert (draws(logits, top_p=0.8) > 0).tolist() == [True, False, True, False]
    assert (draws(logits, top_p=0.0) > 0).tolist() == [False, False, True, False]
