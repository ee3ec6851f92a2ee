"""Files that are whole or absent: atomic writes, compressed lines, typed rows, digests."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any, TypeVar, cast

import msgspec
import xxhash
import zstandard
from isal import igzip, isal_zlib

from olmeda.base.errors import InputError

Row = TypeVar("Row")
_CHUNK = 1 << 20
PART = ".part"
"""How the names of temporary files end; they begin with a dot."""
_DAMAGED = (EOFError, cast(type[Exception], isal_zlib.error), zstandard.ZstdError)
_LEAST_STEP = 1 << 10
LONGEST_LINE = 1 << 30
"""No document is a gigabyte; a file without newlines is something else."""
_GZIP = 31
"""What zlib calls a gzip member with its header."""


def is_file_name(name: str) -> bool:
    """Whether ``name`` can be part of a file's name: no path, and not hidden."""
    return bool(name) and not name.startswith(".") and not any(c in name for c in "/\\\0")


def fsync_file(path: Path) -> None:
    """Make the content of a closed file survive a power cut."""
    with open(path, "rb") as handle:
        os.fsync(handle.fileno())


def fsync_folder(folder: Path) -> None:
    """Make a rename inside ``folder`` survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Give a temporary sibling to write; on success fsync it and rename it to ``path``.

    A failure leaves nothing under ``path`` and removes the temporary file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}{PART}")
    try:
        yield temporary
        fsync_file(temporary)
        os.replace(temporary, path)
        fsync_folder(path.parent)
    except Exception as problem:
        refused = os_error_of(problem)
        if refused is None or refused.filename not in (None, str(temporary)):
            raise
        refused.filename = str(path)  # the name a person knows
        raise refused from None
    finally:
        temporary.unlink(missing_ok=True)


def os_error_of(problem: Exception) -> OSError | None:
    """What the operating system refused: libraries in Rust (polars, safetensors) only quote it."""
    if isinstance(problem, OSError) and problem.errno is not None:
        return problem
    quoted = re.search(r"\(os error (\d+)\)", str(problem))
    return OSError(int(quoted[1]), os.strerror(int(quoted[1]))) if quoted else None


def write_bytes(path: Path, content: bytes) -> None:
    """Write ``content`` to ``path`` atomically."""
    with atomic_write(path) as temporary:
        temporary.write_bytes(content)


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` as indented JSON with keys in the given order, atomically."""
    write_bytes(path, msgspec.json.format(msgspec.json.encode(value), indent=1) + b"\n")


def read_json(path: Path, type: Any = Any) -> Any:
    """Decode one JSON file into ``type``. Raises InputError that names the file."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=type)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except msgspec.MsgspecError as problem:
        raise InputError(f"{path}: {problem}") from None


def open_compressed(path: Path, level: int = 3) -> IO[bytes]:
    """Open ``path`` for writing, compressed as its name's ending says (.gz, .zst, else plain).

    Bytes are reproducible: gzip headers carry no name and no time.
    """
    return compressor(open(path, "wb"), path.name, level)


def compressor(raw: IO[bytes], name: str, level: int = 3) -> IO[bytes]:
    """Wrap an open binary file in the compressor that the ending of ``name`` asks for."""
    if name.endswith(".gz"):
        gz = igzip.IGzipFile(filename="", mode="wb", compresslevel=level, fileobj=raw, mtime=0)
        return cast(IO[bytes], _Both(gz, raw))
    if name.endswith((".zst", ".zstd")):
        return zstandard.ZstdCompressor(level=level).stream_writer(raw, closefd=True)
    return raw


class _Both(io.BufferedIOBase):
    """A writer that also closes the file below it."""

    def __init__(self, upper: Any, lower: IO[bytes]) -> None:
        self.upper, self.lower = upper, lower

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        return int(self.upper.write(data))

    def close(self) -> None:
        if not self.closed:
            self.upper.close()
            self.lower.close()
        super().close()


def _chunks(path: Path) -> Iterator[bytes]:
    """The decompressed bytes of a plain, .gz or .zst file, at most some megabytes at a time."""
    if path.name.endswith((".zst", ".zstd")):
        yield from _unpacked(path, _ZstFrame)
    elif path.name.endswith(".gz"):
        yield from _unpacked(path, _GzMember)
    else:
        with open(path, "rb") as raw:
            while chunk := raw.read(_CHUNK):
                yield chunk


class _GzMember:
    """A gzip member; what it unpacks to at once is bounded, however far it was squeezed."""

    def __init__(self) -> None:
        self._inner = isal_zlib.decompressobj(wbits=_GZIP)

    def unpack(self, packed: bytes) -> Iterator[bytes]:
        """Unpack ``packed`` piece by piece."""
        while packed:
            yield self._inner.decompress(packed, _CHUNK)
            packed = self._inner.unconsumed_tail
        while chunk := self._inner.decompress(b"", _CHUNK):
            yield chunk

    @property
    def ended(self) -> bool:
        return bool(self._inner.eof)

    @property
    def rest(self) -> bytes:
        """What follows the member's end."""
        return bytes(self._inner.unused_data)


class _ZstFrame:
    """A zstd frame, fed so little at a time that what comes out stays bounded.

    The decoder has no limit of its own, and 128 kB may stand in four bytes.
    """

    def __init__(self) -> None:
        self._inner = zstandard.ZstdDecompressor().decompressobj()
        self._step = _LEAST_STEP
        self.rest = b""

    def unpack(self, packed: bytes) -> Iterator[bytes]:
        """Unpack ``packed`` piece by piece."""
        at = 0
        while at < len(packed):
            chunk = self._inner.decompress(packed[at : at + self._step])
            at += self._step
            if self._inner.eof:
                self.rest = self._inner.unused_data + packed[at:]
                at = len(packed)
            more = 2 * self._step if len(chunk) < _CHUNK else self._step // 4
            self._step = min(max(more, _LEAST_STEP), _CHUNK >> 4)
            yield chunk

    @property
    def ended(self) -> bool:
        return bool(self._inner.eof)


def _unpacked(path: Path, new_frame: type[_GzMember] | type[_ZstFrame]) -> Iterator[bytes]:
    """Frame by frame (member by member) with a decoder that knows whether a frame has ended.

    The stream readers of both libraries lose what they had unpacked before the damage, and that
    of zstandard takes a truncated file for a whole one. Raises EOFError for that.
    """
    frame = None
    with open(path, "rb") as raw:
        while packed := raw.read(_CHUNK >> 2):
            while packed:
                if frame is None and not packed.strip(b"\0"):
                    break  # padding after the last frame
                frame = frame or new_frame()
                yield from filter(None, frame.unpack(packed))
                packed = frame.rest if frame.ended else b""
                if frame.ended:
                    frame = None
    if frame is not None:
        raise EOFError("the last frame has no end")


def read_blocks(path: Path, size: int = 4 * _CHUNK) -> Iterator[tuple[int, bytes]]:
    """Yield ``(number of the first line from 1, whole lines)`` in blocks of about ``size`` bytes.

    Every line but a file's last one ends in a newline. Raises InputError for a missing file, for a
    line of over ``LONGEST_LINE`` bytes, and for a compressed file that is cut short or damaged,
    after the whole lines before the damage.
    """
    number = 1
    held: list[bytes] = []
    weight, newline_seen = 0, False
    try:
        for chunk in _chunks(path):
            held.append(chunk)
            weight += len(chunk)
            newline_seen = newline_seen or b"\n" in chunk
            if weight >= size and newline_seen:
                whole, _, rest = b"".join(held).rpartition(b"\n")
                yield number, whole + b"\n"
                number += whole.count(b"\n") + 1
                held, weight, newline_seen = [rest], len(rest), False
            if weight > LONGEST_LINE:
                raise InputError(
                    f"{path}:{number}: a line of over {LONGEST_LINE:,} bytes; is it JSON lines?"
                )
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except _DAMAGED as problem:
        whole, newline, _ = b"".join(held).rpartition(b"\n")
        if newline:
            yield number, whole + newline
            number += whole.count(b"\n") + 1
        raise InputError(
            f"{path}:{number}: the compressed file is cut short or damaged ({problem}); "
            f"{number - 1} whole lines stand before the damage: fetch the file again, "
            "or salvage those lines into a new file"
        ) from None
    if last := b"".join(held):
        yield number, last


def read_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield ``(line number from 1, line without its newline)`` of a plain, .gz or .zst file.

    Raises InputError for a missing file or a compressed file that is cut short or damaged.
    """
    for first, block in read_blocks(path):
        lines = block.split(b"\n")
        if not lines[-1]:
            lines.pop()
        for number, line in enumerate(lines, first):
            yield number, line.removesuffix(b"\r")


def read_rows(path: Path, row: type[Row]) -> Iterator[Row]:
    """Decode each line of a JSONL file into ``row``; blank lines are errors.

    Raises InputError naming file, line and key.
    """
    decoder = msgspec.json.Decoder(row)
    for number, line in read_lines(path):
        try:
            yield decoder.decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError) as problem:
            raise InputError(f"{path}:{number}: {problem}") from None


def write_rows(path: Path, rows: Iterable[Any], level: int = 3) -> int:
    """Write one compact JSON line per row, compressed by the ending of ``path``; return the count.

    The file appears under its name only when whole.
    """
    encoder = msgspec.json.Encoder()
    count = 0
    with atomic_write(path) as temporary:
        with compressor(open(temporary, "wb"), path.name, level) as out:
            for row in rows:
                out.write(encoder.encode(row) + b"\n")
                count += 1
    return count


def digest_bytes(content: bytes) -> str:
    """The 128-bit xxh3 digest of ``content``, in hex."""
    return xxhash.xxh3_128_hexdigest(content)


def digest_file(path: Path) -> str:
    """The 128-bit xxh3 digest of a file's bytes, in hex."""
    state = xxhash.xxh3_128()
    with open(path, "rb") as handle:
        while chunk := handle.read(_CHUNK):
            state.update(chunk)
    return state.hexdigest()


def digest_value(value: Any) -> str:
    """The digest of a JSON-able value, independent of the order of its keys."""
    return digest_bytes(msgspec.json.encode(value, order="sorted"))


def files_below(folder: Path) -> list[Path]:
    """Every file below ``folder``, as relative paths in sorted order."""
    found = [p.relative_to(folder) for p in folder.rglob("*") if p.is_file()]
    return sorted(found, key=lambda p: p.as_posix())


def digest_tree(path: Path) -> str:
    """The digest of a file, or of every file below a folder (names and bytes)."""
    if path.is_file():
        return digest_file(path)
    if not path.is_dir():
        raise InputError(f"{path}: no such file or folder")
    return digest_value({p.as_posix(): digest_file(path / p) for p in files_below(path)})


def remove_tree(folder: Path) -> None:
    """Remove a folder and all below it, if it is there."""
    if folder.is_dir():
        shutil.rmtree(folder)
