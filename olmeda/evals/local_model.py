"""A checkpoint that answers: by writing, or by how likely it holds given answers.

Shapes: ``B`` prompts of a batch, ``T`` tokens, ``V`` vocabulary.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor

from olmeda.artifacts.examples import Message
from olmeda.artifacts.tokenset import tokenizer_digest
from olmeda.base.errors import InputError
from olmeda.model import hf
from olmeda.model.cache import Cache
from olmeda.model.decode import Decoder
from olmeda.model.generate import generate
from olmeda.model.loss import IGNORED, token_logprobs
from olmeda.model.transformer import Transformer
from olmeda.tokens.tokenizer import Tokenizer


class Reader:
    """A tokenizer that remembers prompts and answers: many systems are asked the same."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        self.prompt = functools.cache(self._prompt)
        self.answer = functools.cache(self._answer)

    def _prompt(self, text: str) -> list[int]:
        message = Message("user", text)
        return self.tokenizer.encode_chat([message], generation_prompt=True)[0]

    def _answer(self, text: str) -> list[int]:
        return [*self.tokenizer.encode(text), self.tokenizer.eos]


_READERS: dict[str, Reader] = {}


def reader(folder: Path) -> Reader:
    """The tokenizer in ``folder``; opened once in a process for all folders that hold the same."""
    digest = tokenizer_digest(folder)
    if digest not in _READERS:
        _READERS.clear()  # systems mostly share one tokenizer; keep no more than that
        _READERS[digest] = Reader(Tokenizer.open(folder))
    return _READERS[digest]


class LocalModel:
    """A checkpoint and its tokenizer; prompts go into the chat format as a user's turn.

    A prompt too long for the context loses characters at its end; ``shortened`` counts them.
    """

    def __init__(self, model: Transformer, reader: Reader, batch: int) -> None:
        self.model, self.reader, self.batch = model, reader, batch
        self.tokenizer = reader.tokenizer
        self.shortened = 0

    @classmethod
    def open(cls, path: Path, batch: int) -> LocalModel:
        """Open a checkpoint in the layout of transformers."""
        return cls(hf.load(path), reader(path), batch)

    @functools.cached_property
    def _decoder(self) -> Decoder:
        """Its weights are laid out once for all that is asked."""
        return Decoder(self.model, self.batch)

    def write(self, prompts: Sequence[str], max_new_tokens: int) -> list[str]:
        """Greedy answers, cut at the end token or after ``max_new_tokens``."""
        ids = [self._prompt(prompt, max_new_tokens) for prompt in prompts]
        eos = self.tokenizer.eos
        found = generate(self._decoder, ids, max_new_tokens=max_new_tokens, eos=eos)
        return [self.tokenizer.decode(answer) for answer in found]

    @torch.inference_mode()
    def weigh(self, prompts: Sequence[str], choices: Sequence[str]) -> list[list[float]]:
        """Log-probabilities of the choices; each prompt is read once for all of them."""
        answers = [self.reader.answer(choice) for choice in choices]
        room = max(len(answer) for answer in answers)
        ids = [self._prompt(prompt, room) for prompt in prompts]
        found: list[list[float]] = [[] for _ in prompts]
        for rows in self._batches([len(i) for i in ids]):
            logp_BC = self._weigh_batch([ids[row] for row in rows], answers, room)
            for row, logps in zip(rows, logp_BC.tolist()):
                found[row] = logps
        return found

    @torch.inference_mode()
    def surprise(self, prompts: Sequence[str], answers: Sequence[str]) -> list[float]:
        """Bits of each answer, summed over its tokens."""
        sequences = []
        for prompt, answer in zip(prompts, answers, strict=True):
            after = self.reader.answer(answer)
            sequences.append((self._prompt(prompt, len(after)), after))
        found = [0.0] * len(sequences)
        for rows in self._batches([len(p) + len(a) for p, a in sequences]):
            ids_BT, labels_BT = self._padded([sequences[row] for row in rows])
            nats_B = -token_logprobs(self.model, ids_BT, labels_BT).double().sum(1)
            for row, nats in zip(rows, nats_B.tolist()):
                found[row] = nats / math.log(2)
        return found

    def _prompt(self, text: str, room: int) -> list[int]:
        """The ids of a user's turn that leave ``room`` tokens of the context for an answer."""
        most = self.model.config.sequence - room
        ids = self.reader.prompt(text)
        self.shortened += len(ids) > most
        while len(ids) > most:
            kept = min(len(text) - 1, len(text) * most // len(ids))
            if kept < 1:
                raise InputError(
                    f"the model's context of {self.model.config.sequence} tokens has no room for a "
                    f"prompt and an answer of {room}; train with a longer sequence"
                )
            text = text[:kept]
            ids = self.reader.prompt(text)
        return ids

    def _batches(self, lengths: Sequence[int]) -> Iterator[list[int]]:
        """Rows by length, so that a batch has little padding."""
        order = sorted(range(len(lengths)), key=lambda row: lengths[row])
        for start in range(0, len(order), self.batch):
            yield order[start : start + self.batch]

    def _weigh_batch(self, prompts: list[list[int]], answers: list[list[int]], room: int) -> Tensor:
        lengths_B = torch.tensor([len(prompt) for prompt in prompts])
        longest = int(lengths_B.max())
        ids_BT = torch.full((len(prompts), longest), self.tokenizer.pad)
        for row, prompt in enumerate(prompts):
            ids_BT[row, : len(prompt)] = torch.tensor(prompt)
        cache = Cache(self.model.config, len(prompts), longest + room, self.model.embed)
        h_BTD = self.model(ids_BT, cache).h_BTD
        last_BD = h_BTD[torch.arange(len(prompts)), lengths_B - 1]
        first_BV = self.model.logits(last_BD).log_softmax(-1)
        logps = []
        for answer in answers:
            logp_B = first_BV[:, answer[0]].double()
            if len(answer) > 1:
                cache.lengths_B = lengths_B  # each choice is written over the one before
                ids_BT = torch.tensor([answer[:-1]] * len(prompts))
                next_BTV = self.model.logits(self.model(ids_BT, cache).h_BTD).log_softmax(-1)
                labels_B1 = torch.tensor(answer[1:])[None, :, None].expand(len(prompts), -1, -1)
                logp_B = logp_B + next_BTV.gather(2, labels_B1).double().sum((1, 2))
            logps.append(logp_B)
        return torch.stack(logps, 1)

    def _padded(self, sequences: list[tuple[list[int], list[int]]]) -> tuple[Tensor, Tensor]:
        """Ids and shifted labels; only answers have labels."""
        longest = max(len(p) + len(a) for p, a in sequences) - 1
        ids_BT = torch.full((len(sequences), longest), self.tokenizer.pad)
        labels_BT = torch.full((len(sequences), longest), IGNORED)
        for row, (prompt, answer) in enumerate(sequences):
            whole = torch.tensor(prompt + answer)
            ids_BT[row, : len(whole) - 1] = whole[:-1]
            labels_BT[row, len(prompt) - 1 : len(whole) - 1] = torch.tensor(answer)
        return ids_BT, labels_BT
