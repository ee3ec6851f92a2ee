"""Where the documents of a token set were first read from, as far as its corpus still tells."""

from __future__ import annotations

import functools
import os
from pathlib import Path

import polars as pl

from olmeda.artifacts.corpus import GZ, ZST
from olmeda.artifacts.lineage import Lineage
from olmeda.artifacts.tokenset import TokenSet

FILE = "origins.parquet"


class Origins:
    """``origins.parquet`` of a corpus, asked line by line; ``file`` is None where there is none."""

    def __init__(self, file: Path | None) -> None:
        self.file = file
        self._runs = functools.lru_cache(64)(self._read)

    @classmethod
    def of(cls, tokenset: TokenSet) -> Origins:
        """Those of the corpus that a token set was encoded from, if it is still where it was.

        Only what ``data.read`` made has them: a mixture draws from several.
        """
        for held in Lineage.open(tokenset.path).inputs:
            file = Path(os.path.normpath(tokenset.path / held.path)) / FILE
            if held.key == "corpus" and file.is_file():
                return cls(file)
        return cls(None)

    def of_line(self, file: str, line: int) -> str:
        """``file:line`` of what stands in a line of the corpus's ``file``; empty if not known."""
        if self.file is None:
            return ""
        name = file.rpartition("/")[2].removesuffix(ZST).removesuffix(GZ)
        runs = self._runs(name)
        at = int(runs["row"].search_sorted(line - 1, side="right")) - 1
        if at < 0:
            return ""
        row, source, first, count = runs.row(at)
        inside = line - 1 - row
        return f"{source}:{first + inside}" if inside < count else ""

    def _read(self, shard: str) -> pl.DataFrame:
        assert self.file is not None
        held = pl.scan_parquet(self.file).filter(pl.col("shard") == shard).sort("row")
        return held.select("row", "file", "line", "documents").collect()
