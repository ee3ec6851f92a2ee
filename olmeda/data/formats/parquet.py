"""Documents from a Parquet file: one column of texts, and what else there is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from olmeda.base.errors import InputError, unknown
from olmeda.data.formats.jsonl import document_of
from olmeda.data.found import Bad, Found

_BATCH_ROWS = 4096
_SCALARS = (str, int, float, bool)


def read_parquet(path: Path, file: str, name: str, text: str, id: str) -> Iterator[Found | Bad]:
    """The documents of one file, row by row; scalar columns besides text and id are metadata.

    Raises InputError where there is no column ``text``.
    """
    try:
        table = pq.ParquetFile(path)
        names = table.schema_arrow.names
        if text not in names:
            raise InputError(
                f"{file}: {unknown('column', text, names)}; name the column that holds the text "
                "with text: NAME"
            )
        number = 0
        for batch in table.iter_batches(_BATCH_ROWS):
            for row in batch.to_pylist():
                number += 1
                yield _document(row, name, file, number, text, id)
    except (pa.ArrowException, OSError) as problem:
        yield Bad(file, 1, f"not a whole Parquet file ({str(problem).splitlines()[0]})")


def _document(
    row: dict[str, object], name: str, file: str, number: int, text: str, id: str
) -> Found | Bad:
    values = {key: value for key, value in row.items() if key in (text, id, "source", "metadata")}
    known = {"created", "added", "version"}
    values |= {k: v for k, v in row.items() if k in known and isinstance(v, str)}
    held = row.get("metadata")
    others = {
        k: v for k, v in row.items() if k not in values and k not in known
        and isinstance(v, _SCALARS)
    }  # fmt: skip
    values["metadata"] = {**others, **(held if isinstance(held, dict) else {})}
    try:
        return Found(document_of(values, name, f"{file}:{number}", text, id), file, number)
    except ValueError as problem:
        return Bad(file, number, str(problem), str(row)[:200])
