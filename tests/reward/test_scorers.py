from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from olmeda.artifacts.examples import Message
from olmeda.model import hf
from olmeda.model.loss import IGNORED, token_logprobs
from olmeda.model.reward import load_reward
from olmeda.model.transformer import Transformer
from olmeda.reward import answers
from olmeda.reward.answers import batched, encoded, read_answers
from olmeda.reward.dialogue import conversation
from olmeda.reward.registries import Request, reward_scorer
from olmeda.reward.scorers.classifier import classifier
from olmeda.reward.scorers.dpo import dpo
from olmeda.reward.scorers.length import length
from olmeda.tokens.tokenizer import Tokenizer

PROMPTS = ["Say it.", "Say it again", "?"]
ANSWERS = ["yes", "", "no, never", "yes and no and maybe", "the last one"]


@pytest.fixture(scope="module")
def requests() -> list[Request]:
    asked = [Request(tuple(conversation(p)), a) for p in PROMPTS for a in ANSWERS]
    return [*asked, asked[3]]


def ids_of(tokenizer: Tokenizer, request: Request) -> tuple[list[int], int]:
    """The whole conversation, and how many of its tokens are the answer's."""
    messages = [*request.prompt, Message("assistant", request.answer)]
    ids, learned = tokenizer.encode_chat(messages, generation_prompt=False)
    return ids, sum(learned)


@torch.no_grad()
def test_classifier_equals_the_reward_model_on_each_text_alone(
    models: dict[str, Path], requests: list[Request]
) -> None:
    model, tokenizer = load_reward(models["reward"]), Tokenizer.open(models["reward"])
    alone = []
    for request in requests:
        ids = torch.tensor([ids_of(tokenizer, request)[0]])
        alone.append(float(model(ids, torch.tensor([ids.shape[1] - 1]))[0]))
    assert np.std(alone) > 0.01
    scored = classifier(requests, checkpoint=models["reward"])
    assert scored.values == pytest.approx(alone, abs=1e-5)
    assert scored.truncated == 0


def total_logprob(model: Transformer, ids: list[int], answer: int) -> float:
    labels = torch.full((1, len(ids)), IGNORED)
    labels[0, -answer - 1 : -1] = torch.tensor(ids[-answer:])
    return float(token_logprobs(model, torch.tensor([ids]), labels).sum())


@torch.no_grad()
def test_dpo_equals_the_difference_of_the_models_log_probabilities(
    models: dict[str, Path], requests: list[Request]
) -> None:
    policy, reference = hf.load(models["policy"]), hf.load(models["reference"])
    tokenizer = Tokenizer.open(models["policy"])
    texts = [ids_of(tokenizer, request) for request in requests]
    alone = [total_logprob(policy, *t) - total_logprob(reference, *t) for t in texts]
    scored = dpo(requests, checkpoint=models["policy"], reference=models["reference"])
    assert scored.values == pytest.approx(alone, abs=1e-4)
    mean = dpo(requests, checkpoint=models["policy"], reduce="avg")
    expected = [total_logprob(policy, *t) / t[1] for t in texts]
    assert mean.values == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("kind", ["classifier", "dpo"])
def test_scores_do_not_depend_on_batch_or_company(
    models: dict[str, Path], requests: list[Request], kind: str
) -> None:
    checkpoint = models["reward" if kind == "classifier" else "policy"]

    def scores(asked: list[Request], tokens: int) -> np.ndarray:
        found: np.ndarray = reward_scorer.bind(
            {"name": kind, "checkpoint": checkpoint, "batch_tokens": tokens}
        )(asked).values
        return found

    whole = scores(requests, 4096)
    for tokens in (1, 17, 64):
        assert scores(requests, tokens) == pytest.approx(whole, abs=1e-5)
    assert scores(requests[::-1], 64) == pytest.approx(whole[::-1], abs=1e-5)
    assert scores(requests[2:3], 64) == pytest.approx(whole[2:3], abs=1e-5)


def test_each_prompt_and_each_answer_is_read_once(
    models: dict[str, Path], requests: list[Request], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "WINDOW", 2)
    model, tokenizer = hf.load(models["policy"]), Tokenizer.open(models["policy"])
    texts = encoded(tokenizer, requests, model.config.sequence)
    reads: list[int] = []
    real = model.forward

    def counting(ids_BT: torch.Tensor, cache: object = None) -> object:
        reads.append(len(ids_BT))
        return real(ids_BT, cache)  # type: ignore[arg-type]

    monkeypatch.setattr(model, "forward", counting)
    places = [place for read in read_answers(model, texts, 10_000) for place in read.places]
    assert sorted(places) == list(range(15))  # the sixteenth request repeats another
    assert sum(reads) == len(PROMPTS) + 15


def test_text_too_long_keeps_its_end_and_is_counted(models: dict[str, Path]) -> None:
    asked = [Request(tuple(conversation("word " * 80)), "yes"),
             Request(tuple(conversation("?")), "maybe " * 80)]  # fmt: skip
    tokenizer = Tokenizer.open(models["reward"])
    texts = encoded(tokenizer, asked, 64)
    assert [len(t.prompt) + len(t.rest) for t in texts] == [64, 64]
    assert all(t.rest[-1] == tokenizer.eos for t in texts)
    scored = classifier(asked, checkpoint=models["reward"])
    assert scored.truncated == 2
    assert np.isfinite(scored.values).all()


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(1, 24)), min_size=1), st.integers(1, 200))
def test_batches_hold_every_row_once_and_fit_the_context(
    lengths: list[tuple[int, int]], tokens: int
) -> None:
    batches = list(batched(lengths, tokens, context=64))
    assert [row for batch in batches for row in batch] == list(range(len(lengths)))
    for batch in batches:
        prompt, rest = (max(lengths[row][i] for row in batch) for i in (0, 1))
        assert prompt + rest <= 64
        assert len(batch) == 1 or len(batch) * rest <= tokens


def test_longer_answer_wins_and_a_coin_settles_equal_lengths() -> None:
    prompt = tuple(conversation("?"))
    values = length([Request(prompt, a) for a in ("long answer", "short")]).values
    assert values[0] > values[1]
    pairs = [(f"answer {i}", f"others {i}") for i in range(1000)]
    first = length([Request(prompt, a) for a, _ in pairs]).values
    second = length([Request(prompt, b) for _, b in pairs]).values
    assert 0.45 < (first > second).mean() < 0.55
    shorter = length([Request(prompt, a) for a in ("long answer", "short")], shorter=True).values
    assert shorter[0] < shorter[1]
