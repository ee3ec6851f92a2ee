"""A file or a folder of files: plain text, Markdown, HTML, code, JSON lines, Parquet."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from olmeda.base.errors import InputError
from olmeda.base.files import digest_file, digest_value
from olmeda.base.log import say
from olmeda.data.formats.jsonl import read_jsonl
from olmeda.data.formats.parquet import read_parquet
from olmeda.data.formats.plain import (
    HTML_ENDINGS,
    LANGUAGES,
    TEXT_ENDINGS,
    read_html,
    read_text,
)
from olmeda.data.found import Bad, Found
from olmeda.data.registries import source

ROW_ENDINGS = tuple(
    f"{rows}{packed}"
    for rows in (".jsonl", ".json", ".ndjson")
    for packed in ("", ".gz", ".zst", ".zstd")
    if rows != ".json" or packed
)
"""JSON lines; ``.json.gz`` too, since Dolma names its last shard so."""
PARQUET_ENDINGS = (".parquet",)
ENDINGS = (*TEXT_ENDINGS, *HTML_ENDINGS, *LANGUAGES, *ROW_ENDINGS, *PARQUET_ENDINGS)


@source("files")
@dataclass(frozen=True, kw_only=True)
class Files:
    """Documents from one file or from every file below a folder whose ending is known.

    Ids are ``<source>/<path below the folder>``; rows of JSON lines and Parquet keep their own.
    ``endings`` narrows which files are read (all known ones otherwise), ``text`` and ``id`` name
    the key or column of rows. Hidden files and folders and ``__pycache__`` are left out.
    """

    path: Path
    endings: tuple[str, ...] = ()
    text: str = "text"
    id: str = "id"

    def fingerprint(self) -> str:
        """The digest of the names and bytes of all files that would be read."""
        root = self.path.expanduser()
        named = {file: digest_file(root / file if file else root) for file in self.files()[0]}
        return digest_value(named)

    def files(self) -> tuple[list[str], int]:
        """``(paths below the folder, files left out)``; a single file is the path ``""``.

        Raises InputError where there is nothing to read.
        """
        root = self.path.expanduser()
        if not root.exists():
            raise InputError(f"{root}: no such file or folder; say another path: for this source")
        if root.is_file():
            if not self.is_wanted(root):
                known = ", ".join(self.endings or ENDINGS)
                raise InputError(f"{root}: no known ending; a file to read ends in {known}")
            return [""], 0
        seen = [
            p for p in root.rglob("*")
            if p.is_file() and not any(map(is_hidden, p.relative_to(root).parts))
        ]  # fmt: skip
        wanted = sorted(p.relative_to(root).as_posix() for p in seen if self.is_wanted(p))
        if not wanted:
            raise InputError(
                f"{root}: holds no file to read (of {len(seen)} files none ends in "
                f"{', '.join(self.endings or ENDINGS)})"
            )
        return wanted, len(seen) - len(wanted)

    def is_wanted(self, path: Path) -> bool:
        """Whether the file's ending is one to read."""
        return path.name.lower().endswith(self.endings or ENDINGS)

    def read(self, name: str) -> Iterator[Found | Bad]:
        """Documents file by file in the order of their paths."""
        root = self.path.expanduser()
        files, left_out = self.files()
        if left_out:
            say(f"source {name}: {left_out} files of other endings are left out")
        for file in files:
            path = root / file if file else root
            yield from self.read_file(path, file or path.name, name)

    def read_file(self, path: Path, file: str, name: str) -> Iterator[Found | Bad]:
        """The documents of one file, by its ending."""
        ending = path.name.lower()
        if ending.endswith(ROW_ENDINGS):
            yield from read_jsonl(path, file, name, self.text, self.id)
        elif ending.endswith(PARQUET_ENDINGS):
            yield from read_parquet(path, file, name, self.text, self.id)
        elif ending.endswith(HTML_ENDINGS):
            yield read_html(path, file, name)
        else:
            yield read_text(path, file, name)


def is_hidden(part: str) -> bool:
    """Whether a part of a path marks what people do not write: hidden, or Python's own cache."""
    return part.startswith(".") or part == "__pycache__"
