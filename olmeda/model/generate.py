"""Continue prompts, many at a time, as if each were alone.

Prompts of a batch are padded on the right. Attention is causal, so no prompt sees its padding, and
each row writes its new tokens over it.

Shapes: ``B`` rows that still run, ``T`` longest prompt of the batch, ``V`` vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from olmeda.base.errors import InputError
from olmeda.model.cache import Cache
from olmeda.model.sampling import sample
from olmeda.model.transformer import Transformer

WORTH_DROPPING = 4
"""Finished rows leave the batch once more than one in this many is finished: leaving copies the
cache of those that stay."""


def generate(
    model: Transformer,
    prompts: Sequence[Sequence[int]],
    *,
    max_new_tokens: int,
    eos: int,
    temperature: float = 0.0,
    top_k: int = 0,
    top_p: float = 1.0,
    seed: int = 0,
    batch: int = 32,
) -> list[list[int]]:
    """The new tokens of each prompt, without the end token.

    A continuation stops at ``eos``, at ``max_new_tokens``, or where the context is full. Prompt i
    draws from a generator of (seed, i), whatever else is in its batch. Raises InputError for an
    empty prompt and for one that leaves no room.
    """
    for number, prompt in enumerate(prompts):
        if not 0 < len(prompt) < model.config.sequence:
            raise InputError(
                f"prompt {number} has {len(prompt)} tokens; the model takes 1 to "
                f"{model.config.sequence - 1}, to leave room for an answer"
            )
    chances = _chances(len(prompts), max_new_tokens, seed) if temperature else None
    answers: list[list[int]] = [[] for _ in prompts]
    order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]))
    for start in range(0, len(order), batch):
        rows = order[start : start + batch]
        run = _Run(model, [prompts[i] for i in rows], max_new_tokens)
        drawn = None if chances is None else chances[rows]
        found = run.finish(eos, drawn, temperature=temperature, top_k=top_k, top_p=top_p)
        for row, answer in zip(rows, found, strict=True):
            answers[row] = answer
    return answers


def _chances(prompts: int, steps: int, seed: int) -> Tensor:
    """One number in [0, 1) for each prompt and step, from a generator for each prompt."""
    drawn = [np.random.default_rng([seed, i]).random(steps) for i in range(prompts)]
    return torch.from_numpy(np.array(drawn).reshape(prompts, steps))


class _Run:
    """One batch on its way: the cache, and which rows still run."""

    def __init__(self, model: Transformer, prompts: list[Sequence[int]], steps: int) -> None:
        self.model, self.steps = model, steps
        lengths = [len(p) for p in prompts]
        size = min(max(lengths) + steps, model.config.sequence)
        self.cache = Cache(model.config, len(prompts), size)
        self.ids_BT = torch.zeros(len(prompts), max(lengths), dtype=torch.long)
        for row, prompt in enumerate(prompts):
            self.ids_BT[row, : len(prompt)] = torch.tensor(prompt)
        self.lengths_B = torch.tensor(lengths)
        self.answers: list[list[int]] = [[] for _ in prompts]
        self.running = list(range(len(prompts)))

    @torch.inference_mode()
    def finish(
        self, eos: int, chances: Tensor | None, *, temperature: float, top_k: int, top_p: float
    ) -> list[list[int]]:
        """Step until no row runs; return the answers in the order of the prompts."""
        logits_BV = self._read_prompts()
        done_B = torch.zeros(len(self.running), dtype=torch.bool)
        for step in range(self.steps):
            chance_B = chances[self.running, step] if chances is not None else torch.empty(0)
            next_B = sample(logits_BV, chance_B, temperature=temperature, top_k=top_k, top_p=top_p)
            done_B = done_B | (next_B == eos)
            self._collect(next_B, done_B)
            full_B = self.cache.lengths_B >= self.model.config.sequence
            if step + 1 == self.steps or bool((done_B | full_B).all()):
                break
            if bool(full_B.any()) or int(done_B.sum()) * WORTH_DROPPING > len(done_B):
                stay = torch.nonzero(~(done_B | full_B))[:, 0]
                self.cache.keep(stay)
                self.running = [self.running[i] for i in stay.tolist()]
                next_B, done_B = next_B[stay], done_B[stay]
            h_B1D = self.model(next_B[:, None], self.cache).h_BTD
            logits_BV = self.model.logits(h_B1D[:, 0])
        return self.answers

    def _read_prompts(self) -> Tensor:
        h_BTD = self.model(self.ids_BT, self.cache).h_BTD
        self.cache.lengths_B = self.lengths_B
        return self.model.logits(h_BTD[torch.arange(len(h_BTD)), self.lengths_B - 1])

    def _collect(self, next_B: Tensor, done_B: Tensor) -> None:
        rows = zip(self.running, next_B.tolist(), done_B.tolist(), strict=True)
        for row, token, done in rows:
            if not done:
                self.answers[row].append(token)
