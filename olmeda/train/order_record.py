"""``order.json`` of a checkpoint: which order of which tokens it has seen."""

from __future__ import annotations

from pathlib import Path

import msgspec

from olmeda.artifacts.tokenset import TokenSet
from olmeda.base.files import read_json, write_json

FILE = "order.json"


class OrderRecord(msgspec.Struct, frozen=True):
    """The content of ``order.json``: two identities, by which a changed order is noticed."""

    order_digest: str
    tokens_digest: str


def write_order(folder: Path, tokens: TokenSet, order_digest: str) -> None:
    """Put the identity of the order into a checkpoint in the making."""
    write_json(folder / FILE, OrderRecord(order_digest, tokens.digest))


def read_order(folder: Path) -> OrderRecord | None:
    """The record of a checkpoint; None where there is none."""
    if not (folder / FILE).is_file():
        return None
    found = read_json(folder / FILE, OrderRecord)
    assert isinstance(found, OrderRecord)
    return found
