"""Documents from JSON lines, as Dolma writes them: ``id``, ``text``, and what else there is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from olmeda.artifacts.corpus import Document
from olmeda.base.errors import InputError
from olmeda.base.files import read_lines
from olmeda.data.found import Bad, Found, excerpt

_FIELDS = ("created", "added", "version", "metadata")


def read_jsonl(path: Path, file: str, name: str, text: str, id: str) -> Iterator[Found | Bad]:
    """The documents of one file, compressed or not. ``text``, ``id`` are the keys that hold them.

    A line without an id gets ``<file>:<line>``; a ``source`` other than ``name`` is kept in the
    metadata.
    """
    decoder = msgspec.json.Decoder(dict[str, Any])
    for number, line in _whole_lines(path, file):
        if isinstance(line, Bad):
            yield line
            continue
        if number == 1:
            line = line.removeprefix(b"\xef\xbb\xbf")
        try:
            if not line.strip():
                raise ValueError("blank line")
            found = document_of(decoder.decode(line), name, f"{file}:{number}", text, id)
        except ValueError as problem:  # msgspec's errors and UnicodeDecodeError are ValueErrors
            yield Bad(file, number, _reason(problem), excerpt(line))
        else:
            yield Found(found, file, number)


def _whole_lines(path: Path, file: str) -> Iterator[tuple[int, bytes | Bad]]:
    """Lines one behind, so that the torn last line of a damaged file is not taken for a record."""
    held: tuple[int, bytes] | None = None
    try:
        for item in read_lines(path):
            if held is not None:
                yield held
            held = item
    except InputError as problem:
        number = held[0] + 1 if held else 1
        if held is not None and path.name.endswith(".gz"):
            yield held  # gzip gives whole lines before the damage, zstd may give half a one
        elif held is not None:
            number = held[0]
        yield number, Bad(file, number, str(problem).partition(": ")[2])
        return
    if held is not None:
        yield held


def document_of(
    row: dict[str, Any], name: str, place: str, text: str = "text", id: str = "id"
) -> Document:
    """A document from a row's values. Raises ValueError that says what is wrong with them."""
    value = row.get(text)
    if not isinstance(value, str):
        raise ValueError(
            f"no {text!r}: a document needs its text"
            if value is None
            else f"{text!r} is {_kind(value)}, not a string"
        )
    if max(value, default="") >= "\ud800" and any("\ud800" <= c <= "\udfff" for c in value):
        raise ValueError("the text holds a lone surrogate, which UTF-8 cannot")
    known = row.get(id, place)
    if not isinstance(known, str) or not known:
        raise ValueError(f"{id!r} is {_kind(known)}; write it as a string, not empty")
    rest = {key: row[key] for key in _FIELDS if row.get(key) is not None}
    document = msgspec.convert({**rest, "id": known, "text": value, "source": name}, Document)
    given = row.get("source")
    if isinstance(given, str) and given not in ("", name):
        document.metadata = {"source": given, **document.metadata}
    return document


def _kind(value: Any) -> str:
    if value == "":
        return "empty"
    named = {bool: "a truth value", int: "a number", float: "a number", list: "a list",
             dict: "an object", str: "a string", type(None): "null"}  # fmt: skip
    return f"{named.get(type(value), type(value).__name__)} ({str(value)[:40]})"


def _reason(problem: ValueError) -> str:
    if isinstance(problem, UnicodeDecodeError):
        return f"invalid UTF-8 at byte {problem.start + 1} of a string in the line"
    if isinstance(problem, msgspec.ValidationError):
        return f"not a document: {problem}"
    if isinstance(problem, msgspec.DecodeError):
        return f"broken JSON: {problem}"
    return str(problem)
