"""Continue prompts, many at a time, as if each were alone."""

from __future__ import annotations

from collections.abc import Sequence

from olmeda.base.errors import InputError
from olmeda.model.decode import Decoder, Prompt, Row
from olmeda.model.sampling import Sampling
from olmeda.model.transformer import Transformer

WORTH_TWINS = 32
"""New tokens of all prompts from which on it pays to lay the weights out anew for them."""


def generate(
    model: Transformer | Decoder,
    prompts: Sequence[Sequence[int]],
    *,
    max_new_tokens: int,
    eos: int,
    temperature: float = 0.0,
    top_k: int = 0,
    top_p: float = 1.0,
    min_p: float = 0.0,
    seed: int = 0,
    batch: int = 32,
) -> list[list[int]]:
    """The new tokens of each prompt, without the end token.

    A continuation stops at ``eos``, at ``max_new_tokens``, or where the context is full. Prompt i
    draws from noise of (seed, i), whatever else is in its batch. A ``Decoder`` in place of the
    model spares laying its weights out at every call; its rows take the place of ``batch``. Raises
    InputError for an empty prompt and for one that leaves no room.
    """
    how = Sampling(temperature, top_k, top_p, min_p)
    decoder = model
    if isinstance(decoder, Transformer):
        quick = len(prompts) * max_new_tokens >= WORTH_TWINS
        decoder = Decoder(decoder, max(1, min(batch, len(prompts))), quick=quick)
    for number, prompt in enumerate(prompts):
        try:
            decoder.check(prompt)
        except InputError as problem:
            raise InputError(f"prompt {number}: {problem}") from None
    answers: list[list[int]] = [[] for _ in prompts]
    whose: dict[int, int] = {}
    waiting = sorted(range(len(prompts)), key=lambda i: -len(prompts[i]))
    if max_new_tokens < 1:
        return answers
    while waiting or decoder.rows:
        # the shortest go first: those read together have little padding
        joining = [waiting.pop() for _ in range(min(decoder.free, len(waiting)))]
        asked = [
            Prompt(prompts[i], max_new_tokens, frozenset([eos]), how, (seed, i)) for i in joining
        ]
        found = decoder.join(asked) if asked else decoder.step()
        if asked:
            whose.update({id(row): i for (row, _), i in zip(found, joining, strict=True)})
        _collect(found, whose, answers)
    return answers


def _collect(
    found: Sequence[tuple[Row, object]], whose: dict[int, int], answers: list[list[int]]
) -> None:
    """Keep the answers of rows that ended."""
    for row, _ in found:
        if row.ended is not None:
            answers[whose.pop(id(row))] = row.tokens
