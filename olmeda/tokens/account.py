"""What an order of data draws from: every document is in a part, or told to be in none."""

from __future__ import annotations

import msgspec
import numpy as np

from olmeda.tokens.instances import Loader
from olmeda.tokens.loader import TokenLoader


class PartAccount(msgspec.Struct, frozen=True):
    """One part of a mixture (the whole set, where there is none) over so many places."""

    name: str
    documents: int
    tokens: int
    instances: int
    filled: float
    """Tokens over the room of its instances: the rest is padding, or more than 1 a cut-off end."""
    drawn: int
    """Instances that the places have of it."""
    share: float
    epochs: float


class Account(msgspec.Struct, frozen=True):
    """The parts of an order over its first ``places``, and what is in none of them."""

    places: int
    sequence: int
    parts: list[PartAccount]
    left_documents: int
    left_tokens: int


def account(loader: Loader, places: int) -> Account:
    """Count what the first ``places`` of an order of tokens draw from."""
    assert isinstance(loader, TokenLoader)
    drawn = (places,) if loader.allotment is None else loader.allotment.counts(places)
    documents = loader.tokenset.documents
    taken_D = np.zeros(len(documents), bool)
    parts = []
    for part, count in zip(loader.parts, drawn):
        stream, instances = part.packing.stream, part.packing.instances
        chosen = np.arange(len(documents)) if stream.chosen is None else stream.chosen
        taken_D[chosen] = True
        parts.append(
            PartAccount(
                name=part.name or "all",
                documents=len(chosen),
                tokens=stream.tokens,
                instances=instances,
                filled=stream.tokens / (instances * loader.sequence),
                drawn=count,
                share=count / max(places, 1),
                epochs=count / instances,
            )
        )
    left = documents["tokens"].to_numpy()[~taken_D]
    return Account(places, loader.sequence, parts, len(left), int(left.sum()))


def told(held: Account) -> str:
    """A table of the parts, one line each, and a line for what is in none."""
    lines = [
        f"{'part':<20} {'documents':>10} {'tokens':>14} {'instances':>10} {'filled':>7} "
        f"{'drawn':>10} {'share':>7} {'epochs':>8}"
    ]
    lines += [
        f"{p.name:<20} {p.documents:>10,} {p.tokens:>14,} {p.instances:>10,} {p.filled:>7.3f} "
        f"{p.drawn:>10,} {p.share:>7.4f} {p.epochs:>8.3f}"
        for p in held.parts
    ]
    if held.left_documents:
        lines.append(
            f"in no part: {held.left_documents:,} documents of {held.left_tokens:,} tokens"
        )
    return "\n".join(lines)
