"""The openai client, unchanged, against the server: what it returns is what the model computes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from olmeda.artifacts.examples import Message
from olmeda.model.generate import generate
from olmeda.serve.served import Served

openai = pytest.importorskip("openai", reason="the openai client is not installed")

TEXT = "The list of names is"


@pytest.fixture(scope="module")
def client(address: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{address}/v1", api_key="none", max_retries=0) as made:
        yield made


def greedy(served: Served, ids: list[int], most: int) -> list[int]:
    """What generation alone gives."""
    return generate(served.model, [ids], max_new_tokens=most, eos=served.tokenizer.eos)[0]


def logps(served: Served, ids: list[int]) -> torch.Tensor:
    """oracle: log-probabilities at every place, in one pass."""
    with torch.inference_mode():
        return served.model.logits(served.model(torch.tensor([ids])).h_BTD)[0].log_softmax(-1)


def test_models_are_listed(client: openai.OpenAI, served: Served) -> None:
    assert [m.id for m in client.models.list()] == [served.name]
    assert client.models.retrieve(served.name).id == served.name
    with pytest.raises(openai.NotFoundError, match="no model 'gpt-9' here"):
        client.completions.create(model="gpt-9", prompt="a")


def test_greedy_completion_is_what_generation_gives(client: openai.OpenAI, served: Served) -> None:
    told = client.completions.create(model=served.name, prompt=TEXT, temperature=0, max_tokens=9)
    ids = served.encode(TEXT)
    wanted = greedy(served, ids, 9)
    assert told.choices[0].text == served.tokenizer.decode(wanted)
    assert told.choices[0].finish_reason == "length"
    assert told.usage.prompt_tokens == len(ids)
    assert told.usage.completion_tokens == 9


def test_prompts_come_as_texts_and_as_ids(client: openai.OpenAI, served: Served) -> None:
    texts = [TEXT, "def f(x):", "a"]
    ids = [served.encode(t) for t in texts]
    how = {"model": served.name, "temperature": 0, "max_tokens": 6}
    one_by_one = [client.completions.create(prompt=t, **how).choices[0].text for t in texts]
    for prompt in (texts, ids):
        told = client.completions.create(prompt=prompt, **how)
        assert [c.text for c in told.choices] == one_by_one
        assert [c.index for c in told.choices] == [0, 1, 2]
    assert client.completions.create(prompt=ids[0], **how).choices[0].text == one_by_one[0]


def test_echo_tells_the_log_probability_of_each_token(
    client: openai.OpenAI, served: Served
) -> None:
    told = client.completions.create(
        model=served.name, prompt=TEXT, temperature=0, max_tokens=1, echo=True, logprobs=1
    )
    ids = served.encode(TEXT)
    found = told.choices[0].logprobs
    assert len(found.tokens) == len(ids) + 1
    assert found.token_logprobs[0] is None
    assert found.top_logprobs[0] is None
    whole = [*ids, *greedy(served, ids, 1)]
    right = logps(served, whole)
    wanted = [float(right[t - 1, whole[t]]) for t in range(1, len(whole))]
    assert found.token_logprobs[1:] == pytest.approx(wanted, abs=1e-5)
    best = [float(right[t - 1].max()) for t in range(1, len(whole))]
    assert [max(t.values()) for t in found.top_logprobs[1:]] == pytest.approx(best, abs=1e-5)
    assert told.choices[0].text.startswith(TEXT)
    assert [
        told.choices[0].text[o:][: len(t)] for o, t in zip(found.text_offset, found.tokens)
    ] == (found.tokens)


def test_echo_alone_writes_nothing(client: openai.OpenAI, served: Served) -> None:
    told = client.completions.create(
        model=served.name, prompt=[TEXT, "a b"], max_tokens=0, echo=True, logprobs=0
    )
    assert [c.text for c in told.choices] == [TEXT, "a b"]
    assert told.usage.completion_tokens == 0


def test_seed_repeats_a_draw_and_n_draws_differ(client: openai.OpenAI, served: Served) -> None:
    def draw(seed: int) -> list[str]:
        told = client.completions.create(
            model=served.name, prompt=TEXT, n=3, seed=seed, max_tokens=12, temperature=1.2
        )
        return [c.text for c in told.choices]

    assert draw(5) == draw(5)
    assert draw(5) != draw(6)
    assert len(set(draw(5))) == 3


def test_best_of_returns_the_likeliest(client: openai.OpenAI, served: Served) -> None:
    how = {"model": served.name, "prompt": TEXT, "seed": 1, "max_tokens": 6, "logprobs": 0}
    every = client.completions.create(n=5, **how).choices

    def mean(choice: object) -> float:
        found = choice.logprobs.token_logprobs  # type: ignore[attr-defined]
        return sum(found) / len(found)

    best = client.completions.create(n=2, best_of=5, **how).choices
    assert [c.text for c in best] == [c.text for c in sorted(every, key=mean, reverse=True)[:2]]


def test_stop_string_ends_the_text_before_it(client: openai.OpenAI, served: Served) -> None:
    how = {"model": served.name, "prompt": TEXT, "temperature": 0, "max_tokens": 24}
    whole = client.completions.create(**how).choices[0].text
    stop = whole[7:10]
    told = client.completions.create(stop=["never there", stop], **how).choices[0]
    assert told.text == whole[: whole.index(stop)]
    assert told.finish_reason == "stop"


def test_stream_adds_up_to_the_whole(client: openai.OpenAI, served: Served) -> None:
    how = {"model": served.name, "prompt": [TEXT, "x ="], "seed": 3, "max_tokens": 20, "n": 2}
    whole = client.completions.create(logprobs=2, **how)
    texts, logprobs, ends = [""] * 4, [[] for _ in range(4)], [None] * 4
    last = None
    for piece in client.completions.create(
        stream=True, logprobs=2, stream_options={"include_usage": True}, **how
    ):
        last = piece
        for choice in piece.choices:
            texts[choice.index] += choice.text
            logprobs[choice.index] += choice.logprobs.token_logprobs
            ends[choice.index] = choice.finish_reason or ends[choice.index]
    assert texts == [c.text for c in whole.choices]
    assert ends == [c.finish_reason for c in whole.choices]
    for found, choice in zip(logprobs, whole.choices):
        assert found == pytest.approx(choice.logprobs.token_logprobs, abs=1e-4)
    assert last.usage == whole.usage


MESSAGES = [{"role": "user", "content": "Say it."}]


def test_chat_reads_the_chat_format(client: openai.OpenAI, served: Served) -> None:
    told = client.chat.completions.create(
        model=served.name, messages=MESSAGES, temperature=0, max_completion_tokens=10
    )
    ids = served.tokenizer.encode_chat([Message("user", "Say it.")], generation_prompt=True)[0]
    assert told.choices[0].message.content == served.tokenizer.decode(greedy(served, ids, 10))
    assert told.choices[0].message.role == "assistant"
    assert told.usage.prompt_tokens == len(ids)


def test_chat_streams_and_tells_logprobs(client: openai.OpenAI, served: Served) -> None:
    how = {"model": served.name, "messages": MESSAGES, "seed": 2, "max_tokens": 12}
    whole = client.chat.completions.create(logprobs=True, top_logprobs=3, **how).choices[0]
    assert len(whole.logprobs.content) == 12
    assert all(len(t.top_logprobs) == 3 for t in whole.logprobs.content)
    text, tokens = "", []
    for piece in client.chat.completions.create(stream=True, logprobs=True, **how):
        text += piece.choices[0].delta.content or ""
        if piece.choices[0].logprobs:
            tokens += [t.token for t in piece.choices[0].logprobs.content]
    assert text == whole.message.content
    assert tokens == [t.token for t in whole.logprobs.content]


def test_bias_forbids_and_forces(client: openai.OpenAI, served: Served) -> None:
    told = client.completions.create(
        model=served.name, prompt=TEXT, temperature=0, max_tokens=3, logit_bias={"77": 100}
    )
    assert told.choices[0].text == served.token_text(77) * 3


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"max_tokens": 500}, "context is 192 tokens"),
        ({"prompt": [1, 100_000]}, "the model knows 0 to 639"),
        ({"frequency_penalty": 1.0}, "not offered"),
        ({"temperature": 3.0}, "temperature"),
        ({"extra_body": {"temprature": 1}}, "did you mean 'temperature'"),
        ({"extra_body": {"min_p": 2}}, "min_p"),
        ({"stop": [""]}, "none empty"),
        ({"best_of": 1, "n": 2}, "best_of"),
        ({"logit_bias": {"4000": 1}}, "no token 4000"),
        ({"prompt": ["x"] * 200}, "at most 128"),
    ],
)
def test_what_cannot_be_done_is_refused(
    client: openai.OpenAI, served: Served, wrong: dict[str, object], said: str
) -> None:
    with pytest.raises(openai.BadRequestError, match=said):
        client.completions.create(**{"model": served.name, "prompt": "a", **wrong})


def test_unknown_role_is_refused(client: openai.OpenAI, served: Served) -> None:
    with pytest.raises(openai.BadRequestError, match="no role called 'robot'"):
        client.chat.completions.create(
            model=served.name, messages=[{"role": "robot", "content": "a"}]
        )
