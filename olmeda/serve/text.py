"""New text from new tokens: whole characters only, and nothing beyond a stop string."""

from __future__ import annotations

from collections.abc import Sequence

from olmeda.tokens.tokenizer import Tokenizer

BROKEN = "\ufffd"
"""What bytes that are no whole character decode to."""
LONGEST_CHARACTER = 4
"""Bytes, and so tokens at most, of one UTF-8 character."""


class TextStream:
    """Takes tokens one by one and gives the text that is certain by then.

    ``before``: the ids that the text follows, for tokenizers that write a token differently at the
    beginning of a text. ``stops``: strings that end the text and are no part of it.
    """

    def __init__(
        self, tokenizer: Tokenizer, stops: Sequence[str] = (), before: Sequence[int] = ()
    ) -> None:
        self._tokenizer, self._stops = tokenizer, tuple(s for s in stops if s)
        self._ids = list(before)[-LONGEST_CHARACTER:]
        self._from = 0
        self._told = len(self._ids)
        self._held = ""
        self.text = ""
        """All that was given out."""
        self.stopped = False

    def take(self, token: int) -> str:
        """The text that this token makes certain; often empty."""
        self._ids.append(token)
        new = self._decoded()
        if new.endswith(BROKEN) and len(self._ids) - self._told < LONGEST_CHARACTER:
            return ""  # the next token may complete the character
        self._from, self._told = self._told, len(self._ids)
        return self._give(new, last=False)

    @property
    def reached(self) -> int:
        """Where in the text the next token begins: what is held back counts."""
        return len(self.text) + len(self._held)

    def finish(self) -> str:
        """What was held back; to be called once, when no more tokens come."""
        new = self._decoded() if len(self._ids) > self._told else ""
        self._told = len(self._ids)
        return self._give(new, last=True)

    def _decoded(self) -> str:
        earlier = self._tokenizer.decode(self._ids[self._from : self._told])
        return self._tokenizer.decode(self._ids[self._from :])[len(earlier) :]

    def _give(self, new: str, *, last: bool) -> str:
        if self.stopped:
            return ""
        held = self._held + new
        ends = [place for place in map(held.find, self._stops) if place >= 0]
        if ends:
            self.stopped = True
            given, self._held = held[: min(ends)], ""
        else:
            kept = 0 if last else max((_begun(held, stop) for stop in self._stops), default=0)
            given, self._held = held[: len(held) - kept], held[len(held) - kept :]
        self.text += given
        return given


def _begun(text: str, stop: str) -> int:
    """How many characters at the end of ``text`` may be the beginning of ``stop``."""
    for length in range(min(len(stop) - 1, len(text)), 0, -1):
        if text.endswith(stop[:length]):
            return length
    return 0
