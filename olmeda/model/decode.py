"""Rows that are continued together, one token a step or several; rows join and leave between steps.

Every row gets the tokens that it would get alone. On a CPU, where a step of few rows costs little
more than reading the weights, a rough twin of the model guesses the next tokens and the model
checks them all in one pass (speculative decoding, arXiv:2211.17192): a guess is kept only where the
model draws the same token, so the twin changes the time and never the text.

Shapes: ``B`` rows, ``T`` tokens, ``D`` width, ``V`` vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Literal

import torch
from torch import Tensor

from olmeda.base.errors import InputError, ResourceError
from olmeda.model.cache import Cache, half_the_memory
from olmeda.model.packed import narrowed, packed
from olmeda.model.sampling import GREEDY, Sampling, noise, sample
from olmeda.model.transformer import Transformer

GUESSED = 5
"""Tokens guessed between two checks."""
GUESS_ROWS = 2
"""Most rows for which guessing pays: with more, a check costs as much as the steps it saves."""
TRIED, TRUSTED = 40, 0.5
"""After so many guesses, a twin that was right less often than this guesses no more."""
PREFILL_TOKENS = 8192
"""Prompts are read in groups of at most so many tokens, padding included."""
KEPT_BYTES = 1 << 26
"""Room for keys and values that is kept while nothing is written."""
LARGEST_TWIN = 2_000_000_000
"""Parameters of a model that is laid out anew for speed; a larger one is used as it is."""


@dataclass(frozen=True)
class Prompt:
    """What to continue, and how."""

    ids: Sequence[int]
    most: int
    """New tokens at most."""
    stop: frozenset[int] = frozenset()
    """Ids that end the text; they are not part of it."""
    how: Sampling = GREEDY
    seed: tuple[int, ...] = (0,)
    best: int = -1
    """Report the log-probabilities of so many best tokens beside the drawn one; -1 reports none."""
    bias: dict[int, float] = field(default_factory=dict, hash=False)
    """Added to the scores of these ids."""


@dataclass(frozen=True)
class Token:
    """A new token; its log-probability and those of the best ones, where asked."""

    id: int
    logprob: float = 0.0
    best: tuple[tuple[int, float], ...] = ()


class Row:
    """A prompt on its way; ``ended`` tells why no more comes."""

    def __init__(self, prompt: Prompt) -> None:
        self.prompt = prompt
        self.tokens: list[int] = []
        self.ended: Literal["stop", "length"] | None = None

    def take(self, token: int) -> bool:
        """Add a token, or end at it; whether it was added."""
        if token in self.prompt.stop:
            self.ended = "stop"
            return False
        self.tokens.append(token)
        if len(self.tokens) >= self.prompt.most:
            self.ended = "length"
        return True


class Decoder:
    """A model with room for ``rows`` rows. Not for several threads at a time.

    ``quick``: hold the weights twice more, laid out for this machine and narrowed for guessing.
    ``memory``: bytes that keys and values may take; 0: half of what the machine has.
    """

    def __init__(
        self, model: Transformer, rows: int, *, quick: bool = True, memory: int = 0
    ) -> None:
        size = sum(p.numel() for p in model.parameters())
        self.quick = quick and size <= LARGEST_TWIN
        self.model = packed(model) if self.quick else model
        # a check of several tokens reads more experts than a step: with them it does not pay
        guesses = self.model is not model and model.config.experts is None
        self.guesser = narrowed(model) if guesses else None
        self.config, self.room = model.config, rows
        self.memory = memory or half_the_memory(model.embed.device)
        self.cache = Cache(model.config, 0, 0, model.embed)
        self.rows: list[Row] = []
        self.guessed = self.right = 0
        self._last_B = torch.empty(0, dtype=torch.long)

    @property
    def free(self) -> int:
        """How many more rows there is room for."""
        return self.room - len(self.rows)

    def check(self, ids: Sequence[int]) -> None:
        """Raise InputError for a prompt without tokens, without room, or with a foreign id."""
        if not 0 < len(ids) < self.config.sequence:
            raise InputError(
                f"the prompt has {len(ids)} tokens; the model takes 1 to "
                f"{self.config.sequence - 1}, to leave room for an answer"
            )
        if not (min(ids) >= 0 and max(ids) < self.config.vocab_size):
            raise InputError(
                f"the prompt has ids from {min(ids)} to {max(ids)}; the model knows 0 to "
                f"{self.config.vocab_size - 1}"
            )

    @torch.inference_mode()
    def join(self, prompts: Sequence[Prompt]) -> list[tuple[Row, list[Token]]]:
        """Read prompts and draw the first token of each; at most ``free`` of them.

        Raises ResourceError where ``memory`` does not suffice. None has joined if this fails.
        """
        assert len(prompts) <= self.free
        found: list[tuple[Row, list[Token]]] = []
        held, last_B = len(self.rows), self._last_B
        try:
            for start, stop in _groups([len(p.ids) for p in prompts]):
                found += self._read([Row(p) for p in prompts[start:stop]])
        except BaseException:  # Ctrl-C as well
            del self.rows[held:]
            self.cache.lengths_B, self._last_B = self.cache.lengths_B[:held], last_B
            raise
        self._leave()
        return found

    @torch.inference_mode()
    def step(self) -> list[tuple[Row, list[Token]]]:
        """One or more new tokens for every row; rows that end have left afterwards.

        Raises ResourceError, and nothing has changed, where ``memory`` does not suffice.
        """
        many = self._guesses()
        self._make_room(len(self.rows), int(self.cache.lengths_B.max()) + many + 1)
        if many:
            found = self._guess_and_check(many)
        else:
            h_B1D = self.model(self._last_B[:, None], self.cache).h_BTD
            found = self._draw(self.rows, self.model.logits(h_B1D[:, 0])[:, None])
        self._leave()
        return found

    @torch.inference_mode()
    def drop(self, row: Row) -> None:
        """Take a row out, whatever it still had to come."""
        if row in self.rows:
            row.ended = row.ended or "stop"
            self._leave()

    def clear(self) -> None:
        """Take out all rows."""
        self.rows.clear()
        self.cache.lengths_B = self.cache.lengths_B[:0]
        self._last_B = self._last_B[:0]
        self._leave()

    def _read(self, rows: list[Row]) -> list[tuple[Row, list[Token]]]:
        lengths = [len(row.prompt.ids) for row in rows]
        longest = max(lengths)
        self._make_room(len(self.rows) + len(rows), longest)
        ids_BT = torch.zeros(len(rows), longest, dtype=torch.long)
        for place, row in enumerate(rows):
            ids_BT[place, : lengths[place]] = torch.tensor(row.prompt.ids)
        device = self.cache.lengths_B.device
        part = self.cache.rows(len(self.rows), len(rows))
        h_BTD = self.model(ids_BT.to(device), part).h_BTD
        lengths_B = torch.tensor(lengths, device=device)
        last_BD = h_BTD[torch.arange(len(rows), device=device), lengths_B - 1]
        self.cache.lengths_B = torch.cat([self.cache.lengths_B, lengths_B])
        self.rows += rows
        earlier_B = self._last_B
        found = self._draw(rows, self.model.logits(last_BD)[:, None])
        self._last_B = torch.cat([earlier_B.to(device), self._last_B])
        return found

    def _guesses(self) -> int:
        """How many tokens to guess now; 0 where guessing does not pay or there is no room."""
        if self.guesser is None or len(self.rows) > GUESS_ROWS:
            return 0
        if self.guessed >= TRIED and self.right < TRUSTED * self.guessed:
            return 0
        left = max(row.prompt.most - len(row.tokens) for row in self.rows) - 1
        room = self.config.sequence - 1 - int(self.cache.lengths_B.max())
        return max(0, min(GUESSED, left, room))

    def _guess_and_check(self, many: int) -> list[tuple[Row, list[Token]]]:
        assert self.guesser is not None
        lengths_B, guesses = self.cache.lengths_B, [self._last_B]
        for ahead in range(many):
            h_B1D = self.guesser(guesses[-1][:, None], self.cache).h_BTD
            logits_BV = self.guesser.logits(h_B1D[:, 0])
            guesses.append(self._choose(self.rows, logits_BV, ahead))
        self.cache.lengths_B = lengths_B  # what the guesser wrote is written over by the model
        guesses_BT = torch.stack(guesses, 1)
        h_BTD = self.model(guesses_BT, self.cache).h_BTD
        found = self._draw(self.rows, self.model.logits(h_BTD), guesses_BT)
        lost = [many + 1 - self._taken[place] for place in range(len(self.rows))]
        self.cache.lengths_B = lengths_B + many + 1 - torch.tensor(lost)
        self.guessed += many * len(self.rows)
        self.right += sum(taken - 1 for taken in self._taken)
        return found

    def _draw(
        self, rows: list[Row], logits_BTV: Tensor, guesses_BT: Tensor | None = None
    ) -> list[tuple[Row, list[Token]]]:
        """Draw each row's next token, and the ones after as long as the guess before was right."""
        drawn_BT = torch.stack(
            [self._choose(rows, logits_BTV[:, t], t) for t in range(logits_BTV.shape[1])], 1
        )
        drawn = drawn_BT.tolist()
        guesses = None if guesses_BT is None else guesses_BT.tolist()
        found, self._taken = [], []
        for place, row in enumerate(rows):
            new, taken = [], 0
            for t, token in enumerate(drawn[place]):
                if t and (guesses is None or guesses[place][t] != drawn[place][t - 1]):
                    break
                taken += 1
                if row.ended is None and row.take(token):
                    new.append(_told(row.prompt, logits_BTV[place, t], token))
            self._taken.append(taken)
            found.append((row, new))
        last_B1 = torch.tensor(self._taken)[:, None].to(drawn_BT.device) - 1
        self._last_B = drawn_BT.gather(1, last_B1)[:, 0]
        return found

    def _choose(self, rows: list[Row], logits_BV: Tensor, ahead: int) -> Tensor:
        """The token of each row that comes ``ahead`` tokens after its next."""
        if any(row.prompt.bias for row in rows):
            logits_BV = logits_BV.clone()
            for place, row in enumerate(rows):
                for token, extra in row.prompt.bias.items():
                    logits_BV[place, token] += extra
        parts = []
        for how, group in groupby(enumerate(rows), key=lambda pair: pair[1].prompt.how):
            members = list(group)
            part_BV = logits_BV[members[0][0] : members[-1][0] + 1]
            noise_BV = None
            if not how.greedy:
                drawn = [
                    noise(row.prompt.seed, len(row.tokens) + ahead, part_BV.shape[1])
                    for _, row in members
                ]
                noise_BV = torch.stack(drawn).to(part_BV.device)
            parts.append(sample(part_BV, noise_BV, how))
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def _leave(self) -> None:
        """Take out rows that ended; the last rows fill their places."""
        lengths = self.cache.lengths_B.tolist()
        for place in reversed(range(len(self.rows))):
            row = self.rows[place]
            if row.ended is None and lengths[place] >= self.config.sequence:
                row.ended = "length"
            if row.ended is None:
                continue
            last = len(self.rows) - 1
            if place != last:
                self.cache.move(last, place)
                self.rows[place], self._last_B[place] = self.rows[last], self._last_B[last]
                lengths[place] = lengths[last]
            self.rows.pop()
            self.cache.lengths_B = self.cache.lengths_B[:last]
            self._last_B = self._last_B[:last]
        if not self.rows and self.cache.bytes(self.cache.room, self.cache.size) > KEPT_BYTES:
            self.cache = Cache(self.config, 0, 0, self.model.embed)

    def _make_room(self, rows: int, tokens: int) -> None:
        cache = self.cache
        if rows <= cache.room and tokens <= cache.size:
            return
        ample = min(self.room, max(rows, cache.room * 2)), cache.size
        if tokens > cache.size:
            size = max(tokens + 64, cache.size * 3 // 2)
            ample = ample[0], min(size, self.config.sequence)
        least = rows, max([tokens, *cache.lengths_B.tolist()])
        for wanted in (ample, least):
            if cache.bytes(*wanted) <= self.memory:
                cache.resize(*wanted)
                return
        raise ResourceError(
            f"keys and values of {least[0]} texts of up to {least[1]} tokens take "
            f"{cache.bytes(*least) / 1e9:.2f} GB and may take {self.memory / 1e9:.2f}: write fewer "
            "or shorter texts at a time, or allow more memory"
        )


def _groups(lengths: list[int]) -> list[tuple[int, int]]:
    """Where runs of prompts begin and end that are short enough to be read together."""
    found, start, longest = [], 0, 0
    for place, length in enumerate(lengths):
        longest = max(longest, length)
        if place > start and longest * (place + 1 - start) > PREFILL_TOKENS:
            found.append((start, place))
            start, longest = place, length
    return [*found, (start, len(lengths))] if lengths else []


def _told(prompt: Prompt, logits_V: Tensor, token: int) -> Token:
    if prompt.best < 0:
        return Token(token)
    logps_V = logits_V.double().log_softmax(-1)
    best = torch.topk(logps_V, prompt.best)
    pairs = zip(best.indices.tolist(), best.values.tolist(), strict=True)
    return Token(token, float(logps_V[token]), tuple(pairs))
