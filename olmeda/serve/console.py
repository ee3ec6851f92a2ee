"""A conversation in the terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from olmeda.base.errors import InputError
from olmeda.model.decode import Decoder, Prompt, Row
from olmeda.model.sampling import Sampling
from olmeda.serve.served import Served
from olmeda.serve.text import TextStream

HELP = "Write and press Enter. /new begins anew, /system TEXT sets it up, /quit ends."


class Conversation:
    """Turns with one model; ``say`` adds one of each side."""

    def __init__(self, served: Served, how: Sampling, most: int, seed: int) -> None:
        self.served, self.how, self.most, self.seed = served, how, most, seed
        self.decoder = Decoder(served.model, 1)
        self.system = ""
        self.turns: list[dict[str, str]] = []
        self.row: Row | None = None

    def say(self, text: str) -> Iterator[str]:
        """The answer as it comes. Raises InputError where the context is full; nothing is lost."""
        asked = [*self.turns, {"role": "user", "content": text}]
        opening = [{"role": "system", "content": self.system}] if self.system else []
        self.row = None
        ids = self.served.chat.ids([*opening, *asked])
        self.decoder.check(ids)
        most = min(self.most, self.served.context - len(ids))
        stream = TextStream(self.served.tokenizer, (), ids)
        seed = (self.seed, len(self.turns))
        found = self.decoder.join([Prompt(ids, most, self.served.ends, self.how, seed)])
        self.row = found[0][0]
        try:
            while True:
                for token in found[0][1]:
                    yield stream.take(token.id)
                if self.row.ended is not None:
                    break
                found = self.decoder.step()
            yield stream.finish()
        finally:  # also where the reader has enough
            self.decoder.drop(self.row)
            self.turns = [*asked, {"role": "assistant", "content": stream.text}]

    def forget(self) -> None:
        """Begin anew."""
        self.turns = []


def chat(
    checkpoint: Path, how: Sampling, most: int, seed: int, read: Callable[[str], str] = input
) -> None:
    """Chat until /quit or the end of input; Ctrl-C stops an answer."""
    conversation = Conversation(Served.open(checkpoint), how, most, seed)
    print(f"{conversation.served.name}. {HELP}")
    while True:
        try:
            line = read("> ").strip()
        except (EOFError, KeyboardInterrupt):
            print()
            return
        if line == "/quit":
            return
        if line == "/new":
            conversation.forget()
        elif line.startswith("/system"):
            conversation.system = line.removeprefix("/system").strip()
            conversation.forget()
        elif line.startswith("/"):
            print(HELP)
        elif line:
            _answer(conversation, line)


def _answer(conversation: Conversation, line: str) -> None:
    began = time.monotonic()
    try:
        for piece in conversation.say(line):
            sys.stdout.write(_harmless(piece))
            sys.stdout.flush()
    except KeyboardInterrupt:
        sys.stdout.write(" (stopped)")
    except InputError as problem:
        print(f"{problem}; /new begins anew")
        return
    if conversation.row is None:  # stopped while the prompt was read
        print()
        return
    rate = len(conversation.row.tokens) / max(1e-9, time.monotonic() - began)
    cut = ", cut off" if conversation.row.ended == "length" else ""
    print(f"\n[{len(conversation.row.tokens)} tokens, {rate:.0f} a second{cut}]")


def _harmless(text: str) -> str:
    """Without control characters: a model must not steer the terminal."""
    return "".join(c for c in text if c in "\n\t" or not (ord(c) < 32 or 127 <= ord(c) < 160))
