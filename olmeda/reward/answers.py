"""Hidden states of many answers, each prompt read once and little padding.

Scoring asks for several answers to the same prompt: two of a trio, dozens of a board. A window of
prompts is read into a cache; then the answers, sorted by length, each on top of its prompt.

Shapes: ``P`` prompts, ``B`` answers, ``T`` tokens, ``D`` width, ``N`` answer tokens that count.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from olmeda.model.cache import Cache
from olmeda.model.transformer import Transformer
from olmeda.reward.registries import Request
from olmeda.tokens.tokenizer import Tokenizer

WINDOW = 64
"""Prompts whose keys and values are held at once."""


@dataclass(frozen=True)
class Text:
    """An encoded request: the ``prompt`` up to its last token, then that token and the answer."""

    prompt: tuple[int, ...]
    rest: tuple[int, ...]
    cut: bool

    @property
    def answer(self) -> tuple[int, ...]:
        """The answer's tokens, its end token included."""
        return self.rest[1:]


@dataclass(frozen=True)
class Read:
    """A batch of answers after their prompts; row b belongs to the ``places[b]``-th text.

    ``h_BTD[b, t]`` is the state after ``rest[: t + 1]``: it predicts ``answer[t]``, and at
    ``t = len(answer)`` it has seen the whole text.
    """

    places: list[int]
    h_BTD: Tensor


def encoded(tokenizer: Tokenizer, requests: Sequence[Request], context: int) -> list[Text]:
    """Requests in the chat format; of a text longer than ``context`` the end is kept."""
    prompts = {p: tokenizer.encode_chat(p, generation_prompt=True)[0]
               for p in dict.fromkeys(r.prompt for r in requests)}  # fmt: skip
    answers = tokenizer.encode_batch([r.answer for r in requests])
    texts = []
    for request, answer in zip(requests, answers, strict=True):
        ids = [*prompts[request.prompt], *answer.tolist(), tokenizer.eos]
        kept = ids[-context:]
        split = max(0, len(kept) - len(answer) - 2)
        texts.append(Text(tuple(kept[:split]), tuple(kept[split:]), len(kept) < len(ids)))
    return texts


@torch.inference_mode()
def read_answers(model: Transformer, texts: Sequence[Text], batch_tokens: int) -> Iterator[Read]:
    """The hidden states of every distinct text, in batches of about ``batch_tokens``.

    The last tokens are what counts: nothing but answers and the token before them is returned.
    """
    by_prompt: dict[tuple[int, ...], dict[tuple[int, ...], int]] = {}
    for place, text in enumerate(texts):
        by_prompt.setdefault(text.prompt, {}).setdefault(text.rest, place)
    prompts = sorted(by_prompt, key=lambda p: (len(p), p))
    for start in range(0, len(prompts), WINDOW):
        window = prompts[start : start + WINDOW]
        rows = [
            (i, place) for i, prompt in enumerate(window) for place in by_prompt[prompt].values()
        ]
        rows.sort(key=lambda row: (len(texts[row[1]].rest), row))
        room = max(len(texts[place].rest) for _, place in rows)
        cache = _read_prompts(model, window, room)
        lengths = [(len(window[i]), len(texts[place].rest)) for i, place in rows]
        for batch in batched(lengths, batch_tokens, model.config.sequence):
            yield _read_batch(model, cache, [rows[b] for b in batch], texts)


def batched(lengths: Sequence[tuple[int, int]], tokens: int, context: int) -> Iterator[list[int]]:
    """Consecutive rows ``(prompt, rest)`` in batches of at most ``tokens`` padded rest tokens.

    The longest prompt and the longest rest of a batch fit ``context`` together, although they may
    belong to different rows; a row alone may exceed ``tokens``.
    """
    batch: list[int] = []
    prompt = rest = 0
    for row, (own_prompt, own_rest) in enumerate(lengths):
        wide_prompt, wide_rest = max(prompt, own_prompt), max(rest, own_rest)
        full = (len(batch) + 1) * wide_rest > tokens or wide_prompt + wide_rest > context
        if batch and full:
            yield batch
            batch, wide_prompt, wide_rest = [], own_prompt, own_rest
        batch.append(row)
        prompt, rest = wide_prompt, wide_rest
    if batch:
        yield batch


def _read_prompts(model: Transformer, prompts: Sequence[tuple[int, ...]], room: int) -> Cache:
    longest = max(len(p) for p in prompts)
    cache = Cache(model.config, len(prompts), longest + room, model.embed)
    if longest:
        model(padded(prompts), cache)
    cache.lengths_B = torch.tensor([len(p) for p in prompts])
    return cache


def _read_batch(
    model: Transformer, prompts: Cache, rows: Sequence[tuple[int, int]], texts: Sequence[Text]
) -> Read:
    cache = copy.copy(prompts)
    cache.keep(torch.tensor([prompt for prompt, _ in rows]))
    places = [place for _, place in rows]
    return Read(places, model(padded([texts[p].rest for p in places]), cache).h_BTD)


def padded(rows: Sequence[Sequence[int]]) -> Tensor:
    """Rows of ids side by side, padded on the right with 0, which no real token sees."""
    longest = max(len(row) for row in rows)
    return torch.tensor([[*row, *[0] * (longest - len(row))] for row in rows])


def spread(texts: Sequence[Text], found: dict[int, float]) -> list[float]:
    """The value of every text from those of the distinct ones."""
    first: dict[Text, int] = {}
    return [found[first.setdefault(text, place)] for place, text in enumerate(texts)]
